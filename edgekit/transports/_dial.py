"""A TCP connection to an SSH server, with a deadline on the name look-up and an eye on what answers."""

from __future__ import annotations

import queue
import socket
import threading
import time
from collections.abc import Sequence

from edgekit.core.errors import DeadlineError, EdgekitError, NetworkError
from edgekit.transports._endpoint import Endpoint

MAX_PREAMBLE_BYTES = 64 * 1024
_FIRST_WORDS_BYTES = 80

_AddressInfo = tuple[int, int, int, str, tuple[object, ...]]
"""Family, kind, protocol, canonical name, address: as socket.getaddrinfo gives them."""


class GuardedSocket(socket.socket):
    """A socket that notes when the server says `SSH-`, and refuses to read on when it says too much before that.

    Attributes:
        identified: set when the identification line began, and when reading ended without it.
        first_words: the first bytes that came.
    """

    def __init__(self, connected: socket.socket) -> None:
        """Take over a connected socket."""
        super().__init__(connected.family, connected.type, connected.proto, fileno=connected.detach())
        self.identified = threading.Event()
        self.first_words = b""
        self.speaks_ssh = False
        self._seen = bytearray(b"\n")

    def recv(self, bufsize: int, flags: int = 0, /) -> bytes:
        """As the base class; OSError after 64 KiB without an identification line."""
        data = super().recv(bufsize, flags)
        if not self.speaks_ssh:
            self._look_at(data)
        return data

    def close(self) -> None:
        """As the base class; whoever waits for the identification line has waited enough."""
        self.identified.set()
        super().close()

    def _look_at(self, data: bytes) -> None:
        self._seen += data
        self.first_words = bytes(self._seen[1 : 1 + _FIRST_WORDS_BYTES])
        self.speaks_ssh = b"\nSSH-" in self._seen
        if self.speaks_ssh or not data:
            self.identified.set()
        elif len(self._seen) > MAX_PREAMBLE_BYTES:
            self.identified.set()
            raise OSError("the server talks, but not SSH")


def dial(endpoint: Endpoint, limit_s: float) -> GuardedSocket:
    """Connect to the first address that accepts.

    Args:
        endpoint: whom to call.
        limit_s: for the name look-up and all addresses together.

    Raises:
        DeadlineError: nothing answered in time.
        NetworkError: the name is unknown, or every address refuses.
    """
    end = time.monotonic() + limit_s
    failure: OSError | None = None
    for family, kind, protocol, _, address in _look_up(endpoint, limit_s):
        connection = socket.socket(family, kind, protocol)
        connection.settimeout(max(0.001, end - time.monotonic()))
        try:
            connection.connect(address)
        except TimeoutError as cause:
            connection.close()
            raise _too_late(endpoint, limit_s) from cause
        except OSError as cause:
            connection.close()
            failure = cause
        else:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return GuardedSocket(connection)
    reason = failure.strerror if failure else "it has no address"
    raise NetworkError(
        f"{endpoint} cannot be reached (connect): {reason}",
        hint=f"is the device up, and does an SSH server listen on port {endpoint.port}?",
        phase="connect",
    ) from failure


def _look_up(endpoint: Endpoint, limit_s: float) -> Sequence[_AddressInfo]:
    answer: queue.Queue[Sequence[_AddressInfo] | OSError] = queue.Queue()

    def ask() -> None:
        try:
            answer.put(socket.getaddrinfo(endpoint.host, endpoint.port, type=socket.SOCK_STREAM))
        except OSError as cause:
            answer.put(cause)

    # getaddrinfo knows no timeout; a resolver that hangs keeps its thread, but not us.
    threading.Thread(target=ask, name=f"edgekit-resolve {endpoint.host}", daemon=True).start()
    try:
        found = answer.get(timeout=limit_s)
    except queue.Empty:
        raise _too_late(endpoint, limit_s) from None
    if isinstance(found, OSError):
        raise NetworkError(
            f"the host name {endpoint.host!r} cannot be resolved: {found.strerror}",
            hint="check the name; for NAME.local the device must run avahi, or give its IP address",
            phase="connect",
        ) from found
    return found


def _too_late(endpoint: Endpoint, limit_s: float) -> EdgekitError:
    return DeadlineError(
        f"{endpoint} did not accept a connection within {limit_s:g} s (phase connect)",
        hint="check the address, the firewall, and that the device is up",
        phase="connect",
        limit_s=limit_s,
    )
