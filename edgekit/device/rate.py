"""A limit on bytes per second, as a token bucket."""

from __future__ import annotations

import time
from collections.abc import Callable

from edgekit.core.errors import UsageError
from edgekit.core.units import format_bytes
from edgekit.device.deadlines import MIN_BYTES_PER_S

_BURST_S = 0.25
"""What may go at once: small enough that others on the link are not shut out, big enough that waiting is rare."""


def check_rate(bytes_per_s: int) -> int:
    """The limit, if it is twice what counts as a dead link at least.

    Raises:
        UsageError: it is too low.
    """
    if bytes_per_s < 2 * MIN_BYTES_PER_S:
        raise UsageError(
            f"a limit of {format_bytes(bytes_per_s)} a second is too low: a link with less than "
            f"{format_bytes(MIN_BYTES_PER_S)} a second counts as dead",
            hint=f"allow {format_bytes(2 * MIN_BYTES_PER_S)} a second or more",
        )
    return bytes_per_s


class RateLimit:
    """Lets so many bytes through a second; not for use by several threads at once.

    Args:
        bytes_per_s: the limit, see `check_rate`.
        clock: seconds that only go forward.
        sleep: waits for so many seconds.

    Attributes:
        burst_bytes: most bytes that go at once.

    Raises:
        UsageError: the limit is too low.
    """

    def __init__(
        self,
        bytes_per_s: int,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._bytes_per_s = check_rate(bytes_per_s)
        self.burst_bytes = int(bytes_per_s * _BURST_S)
        self._tokens = float(self.burst_bytes)
        self._clock, self._sleep = clock, sleep
        self._filled_at = clock()

    def take(self, size_bytes: int) -> None:
        """Wait until so many bytes may go, at most `burst_bytes` of them."""
        self._fill()
        if size_bytes > self._tokens:
            self._sleep((size_bytes - self._tokens) / self._bytes_per_s)
            self._fill()
        self._tokens -= size_bytes

    def _fill(self) -> None:
        now = self._clock()
        self._tokens = min(self.burst_bytes, self._tokens + (now - self._filled_at) * self._bytes_per_s)
        self._filled_at = now
