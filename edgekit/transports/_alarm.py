"""One deadline at a time for calls that cannot time out by themselves."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Alarm:
    """A thread that calls `on_expiry` when a guarded block takes too long.

    Paramiko has waits without any timeout (`exec_command`, writes into a full socket buffer). What ends them all is
    to shut the socket down, which is what `on_expiry` does here.
    """

    def __init__(self, on_expiry: Callable[[], None]) -> None:
        self._on_expiry = on_expiry
        self._changed = threading.Condition()
        self._due: float | None = None
        self._stopped = False
        self.expired = False
        self._thread = threading.Thread(target=self._watch, name="edgekit-alarm", daemon=True)
        self._thread.start()

    @contextmanager
    def guard(self, limit_s: float) -> Iterator[None]:
        """Let the alarm expire if the block runs longer than `limit_s`, or longer than that after `extend`."""
        self.extend(limit_s)
        try:
            yield
        finally:
            with self._changed:
                self._due = None

    def extend(self, limit_s: float) -> None:
        """Give the guarded block so much time from now on."""
        with self._changed:
            asleep = self._due is None
            self._due = time.monotonic() + limit_s
            if asleep:
                self._changed.notify()

    def stop(self) -> None:
        """End the thread."""
        with self._changed:
            self._stopped = True
            self._changed.notify()
        self._thread.join()

    def _watch(self) -> None:
        with self._changed:
            while not self._stopped:
                left_s = None if self._due is None else self._due - time.monotonic()
                if left_s is not None and left_s <= 0:
                    self._due = None
                    self.expired = True
                    self._on_expiry()
                else:
                    self._changed.wait(left_s)
