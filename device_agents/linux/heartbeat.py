"""Signs of life while a request is being worked on."""

from __future__ import annotations

import threading

from device_agents.linux import protocol
from device_agents.linux.errors import HostGoneError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType


class Heartbeat:
    """Tells the host, from a thread of its own, that a request is still being worked on."""

    def __init__(self, event: Callable[[str], None]) -> None:
        self._event = event
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join()

    def _beat(self) -> None:
        while not self._done.wait(protocol.HEARTBEAT_S / 2):
            try:
                self._event("busy")
            except HostGoneError:
                return  # the main thread sees it by itself
