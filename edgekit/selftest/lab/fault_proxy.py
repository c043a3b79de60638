"""A TCP proxy that breaks connections on purpose, and a TCP server that follows a script."""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

CHUNK = 16 * 1024
_MOST_WAITING = 1024
"""Chunks of one direction that are on their way at a time."""
_TICK_S = 0.05


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What goes wrong, and when.

    Attributes:
        kind: what the connection is struck with once one of the limits is reached: "stall" (silence, the connection
            stays), "reset" (RST), "close" (FIN), "garbage" (noise to the client), "slow" (the link gets `chunk`,
            `delay_s` and `latency_s` only now), "none".
        after_up: bytes from the client that still pass.
        after_down: bytes to the client that still pass; whichever limit is reached first triggers.
        chunk: bytes that are forwarded at a time, 1 makes a choppy link.
        delay_s: pause before each forwarded chunk: with `chunk` it is a rate.
        latency_s: how much later each byte arrives, at any rate.
    """

    kind: str = "none"
    after_up: int | None = None
    after_down: int | None = None
    chunk: int = CHUNK
    delay_s: float = 0.0
    latency_s: float = 0.0


class _Server:
    """Accepts on a free port of 127.0.0.1 and serves each connection in a thread; all of it ends with `close`."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.stopping = threading.Event()
        self._wake_reader, self._wake_writer = socket.socketpair()
        self._threads = [threading.Thread(target=self._accept, name="fake-accept")]
        self._threads[0].start()

    def _accept(self) -> None:
        while True:
            ready, _, _ = select.select([self._listener, self._wake_reader], [], [])
            if self._wake_reader in ready:
                return
            connection, _ = self._listener.accept()
            thread = threading.Thread(target=self._serve_quietly, args=(connection,), name="fake-serve")
            self._threads.append(thread)
            thread.start()

    def _serve_quietly(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            self.serve(connection)

    def serve(self, connection: socket.socket) -> None:
        raise NotImplementedError

    def close(self) -> None:
        self.stopping.set()
        self._wake_writer.send(b"x")
        for thread in self._threads:
            thread.join()
        for end in (self._listener, self._wake_reader, self._wake_writer):
            end.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class TcpScript(_Server):
    """A server that runs `script(connection, stopping)` for each client."""

    def __init__(self, script: Callable[[socket.socket, threading.Event], None]) -> None:
        self._script = script
        super().__init__()

    def serve(self, connection: socket.socket) -> None:
        """Run the script."""
        self._script(connection, self.stopping)


def silent(_connection: socket.socket, stopping: threading.Event) -> None:
    """Accepts and says nothing."""
    stopping.wait()


def saying(words: bytes) -> Callable[[socket.socket, threading.Event], None]:
    """Says something and waits for the client to go."""

    def script(connection: socket.socket, stopping: threading.Event) -> None:
        connection.sendall(words)
        connection.settimeout(_TICK_S)
        while not stopping.is_set():
            try:
                if not connection.recv(CHUNK):
                    return
            except TimeoutError:
                continue

    return script


class FaultProxy(_Server):
    """Forwards to a port of 127.0.0.1 until the fault strikes; set `fault` before the client connects.

    Attributes:
        bytes_up, bytes_down: forwarded so far, over all connections.
        struck: set when the fault has struck.
    """

    def __init__(self, target_port: int, fault: Fault | None = None) -> None:
        self._target_port = target_port
        self.fault = fault or Fault()
        self.bytes_up = 0
        self.bytes_down = 0
        self.struck = threading.Event()
        super().__init__()

    def serve(self, connection: socket.socket) -> None:
        """Forward both ways until one side ends or the fault strikes."""
        with socket.create_connection(("127.0.0.1", self._target_port)) as server:
            _Link(self, self.fault, connection, server).run()

    def count(self, up: int, down: int) -> None:
        """Add what was forwarded."""
        self.bytes_up += up
        self.bytes_down += down


class _Direction:
    """One way of a connection: what was read and may not be sent yet, and how much has passed."""

    def __init__(self, source: socket.socket, sink: socket.socket, most: int | None) -> None:
        self.source, self.sink, self._most = source, sink, most
        self._ended = False
        self._read = self._passed = 0
        self._next_at = 0.0
        self._waiting: deque[tuple[float, bytes]] = deque()

    @property
    def is_through(self) -> bool:
        """Whether the limit is reached."""
        return self._most is not None and self._passed >= self._most

    @property
    def is_over(self) -> bool:
        """Whether the source has ended and all of it is forwarded."""
        return self._ended and not self._waiting

    @property
    def has_room(self) -> bool:
        """Whether more may be read; a limit is never overshot."""
        within = self._most is None or self._read < self._most
        return within and not self._ended and len(self._waiting) < _MOST_WAITING

    def read(self, chunk: int, latency_s: float) -> None:
        """Take what is there."""
        data = self.source.recv(chunk if self._most is None else min(chunk, self._most - self._read))
        self._read += len(data)
        self._ended = not data
        if data:
            self._waiting.append((time.monotonic() + latency_s, data))

    def due_s(self) -> float | None:
        """Seconds until something may be sent; None when nothing waits."""
        return max(0.0, max(self._waiting[0][0], self._next_at) - time.monotonic()) if self._waiting else None

    @property
    def due_bytes(self) -> int:
        """The next chunk."""
        return len(self._waiting[0][1])

    def forward(self, delay_s: float) -> int:
        """Send the next chunk, or what the sink takes of it; how many bytes too few that was, as a negative number."""
        due, data = self._waiting.popleft()
        sent = self.sink.send(data)
        if sent < len(data):
            self._waiting.appendleft((due, data[sent:]))
        self._passed += sent
        self._next_at = time.monotonic() + delay_s
        return sent - len(data)

    def unlimit(self) -> None:
        """No limit any more: it has triggered."""
        self._most = None


class _Link:
    """One connection through the proxy."""

    def __init__(self, proxy: FaultProxy, fault: Fault, client: socket.socket, server: socket.socket) -> None:
        self._proxy, self._fault, self._client, self._server = proxy, fault, client, server
        self._up = _Direction(client, server, fault.after_up)
        self._down = _Direction(server, client, fault.after_down)
        self._has_struck = fault.kind == "none"
        self._is_shaped = fault.kind != "slow"

    def run(self) -> None:
        """Forward until an end, the fault, or the end of the proxy."""
        for end in (self._client, self._server):
            end.settimeout(0)
        while not self._proxy.stopping.is_set():
            if not self._has_struck and (self._up.is_through or self._down.is_through) and not self._strike():
                return
            if self._up.is_over or self._down.is_over:
                return
            self._step()

    def _step(self) -> None:
        fault = self._fault if self._is_shaped else Fault()
        ways = (self._up, self._down)
        due = {way: seconds for way in ways if (seconds := way.due_s()) is not None}
        sources = [way.source for way in ways if way.has_room]
        sinks = [way.sink for way, seconds in due.items() if not seconds]
        ready, writable, _ = select.select(sources, sinks, [], min([_TICK_S, *filter(None, due.values())]))
        for way in ways:
            if way.sink in writable:
                self._count(way, way.due_bytes)  # before anybody can have seen them
                self._count(way, way.forward(fault.delay_s))
            if way.source in ready:
                way.read(fault.chunk, fault.latency_s)

    def _count(self, way: _Direction, size: int) -> None:
        self._proxy.count(*((size, 0) if way is self._up else (0, size)))

    def _strike(self) -> bool:
        """Whether the connection goes on."""
        self._has_struck = True
        self._proxy.struck.set()
        kind = self._fault.kind
        if kind == "slow":
            self._is_shaped = True
            self._up.unlimit()
            self._down.unlimit()
        elif kind == "stall":
            self._proxy.stopping.wait()
        elif kind == "reset":
            for end in (self._client, self._server):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif kind == "garbage":
            self._client.settimeout(None)
            saying(bytes(range(256)) * 256)(self._client, self._proxy.stopping)
        elif kind == "close":
            self._server.shutdown(socket.SHUT_RDWR)
            self._client.shutdown(socket.SHUT_WR)
            saying(b"")(self._client, self._proxy.stopping)  # bytes that nobody read would make it a reset
        return kind == "slow"
