"""A TCP proxy that breaks connections on purpose, and a TCP server that follows a script."""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

CHUNK = 16 * 1024


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What goes wrong, and when.

    Attributes:
        kind: "stall" (silence, the connection stays), "reset" (RST), "close" (FIN), "garbage" (noise to the client).
        after_up: bytes from the client that still pass.
        after_down: bytes to the client that still pass; whichever limit is reached first triggers.
        chunk: bytes that are forwarded at a time, 1 makes a slow, choppy link.
        delay_s: wait before each forwarded chunk.
    """

    kind: str = "none"
    after_up: int | None = None
    after_down: int | None = None
    chunk: int = CHUNK
    delay_s: float = 0.0


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
        self._script(connection, self.stopping)


def silent(_connection: socket.socket, stopping: threading.Event) -> None:
    """Accepts and says nothing."""
    stopping.wait()


def saying(words: bytes) -> Callable[[socket.socket, threading.Event], None]:
    """Says something and waits for the client to go."""

    def script(connection: socket.socket, stopping: threading.Event) -> None:
        connection.sendall(words)
        connection.settimeout(0.05)
        while not stopping.is_set():
            try:
                if not connection.recv(CHUNK):
                    return
            except TimeoutError:
                continue

    return script


class FaultProxy(_Server):
    """Forwards to a port of 127.0.0.1 until the fault strikes; set `fault` before the client connects."""

    def __init__(self, target_port: int, fault: Fault | None = None) -> None:
        self._target_port = target_port
        self.fault = fault or Fault()
        self.bytes_up = 0
        self.bytes_down = 0
        self.struck = threading.Event()
        super().__init__()

    def serve(self, connection: socket.socket) -> None:
        fault = self.fault
        with socket.create_connection(("127.0.0.1", self._target_port)) as server:
            up = down = 0
            while not self.stopping.is_set():
                if (fault.after_up is not None and up >= fault.after_up) or (
                    fault.after_down is not None and down >= fault.after_down
                ):
                    self._strike(connection, fault.kind)
                    return
                ready, _, _ = select.select([connection, server], [], [], 0.05)
                if fault.delay_s and ready and self.stopping.wait(fault.delay_s):
                    return
                if connection in ready:
                    data = connection.recv(_allowed(fault.chunk, fault.after_up, up))
                    if not data:
                        return
                    server.sendall(data)
                    up += len(data)
                    self.bytes_up += len(data)
                elif server in ready:
                    data = server.recv(_allowed(fault.chunk, fault.after_down, down))
                    if not data:
                        return
                    connection.sendall(data)
                    down += len(data)
                    self.bytes_down += len(data)

    def _strike(self, connection: socket.socket, kind: str) -> None:
        self.struck.set()
        if kind == "stall":
            self.stopping.wait()
        elif kind == "reset":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif kind == "garbage":
            saying(bytes(range(256)) * 256)(connection, self.stopping)


def _allowed(chunk: int, limit: int | None, done: int) -> int:
    return chunk if limit is None else max(1, min(chunk, limit - done))
