"""What happened on a machine between two looks at it."""

from __future__ import annotations

from edgekit.core.measurement import Conditions

LIVE_BITS = 0xF
"""get_throttled: under-voltage, frequency capped, throttled, soft temperature limit, as they are now."""

STICKY_BITS = 0xF0000
"""The same, since the boot."""

_BIT_NAMES = ("under-voltage", "frequency capped", "throttled", "soft temperature limit")
_TICK_NS = 10_000_000
"""USER_HZ is 100 in the kernel's interface on every machine that edgekit measures."""


def others_share(before: Conditions, after: Conditions) -> float | None:
    """Share of the usable cores' time that went to other work than the process which looked; None where unknown."""
    ticks = _between(before.all_ticks, after.all_ticks)
    busy = _between(before.busy_ticks, after.busy_ticks)
    if not ticks or busy is None:
        return None
    own = (_between(before.cpu_ns, after.cpu_ns) or 0) / _TICK_NS
    return max(0.0, busy - own) / ticks


def ticks(before: Conditions, after: Conditions) -> int:
    """CPU time between the looks in 1/100 s, over all usable cores; 0 where it is unknown."""
    return _between(before.all_ticks, after.all_ticks) or 0


def swapped_pages(before: Conditions, after: Conditions) -> int:
    """Pages that were swapped in or out."""
    return _between(before.swapped_pages, after.swapped_pages) or 0


def clock_step_s(before: Conditions, after: Conditions) -> float:
    """How far the wall clock ran away from the monotonic one."""
    wall, steady = after.realtime_ns - before.realtime_ns, after.monotonic_ns - before.monotonic_ns
    return (wall - steady) / 1e9


def seconds(before: Conditions, after: Conditions) -> float:
    """Time between the looks."""
    return (after.monotonic_ns - before.monotonic_ns) / 1e9


def throttling(before: Conditions, after: Conditions) -> tuple[str, ...]:
    """Names of the bits that are set now, or that were set between the looks."""
    new = (after.throttled or 0) & ~(before.throttled or 0) & STICKY_BITS
    live = ((before.throttled or 0) | (after.throttled or 0)) & LIVE_BITS
    bits = live | new >> 16
    return tuple(name for place, name in enumerate(_BIT_NAMES) if bits >> place & 1)


def fastest_khz(conditions: Conditions) -> int | None:
    """The highest frequency of a usable core: that of the one which worked."""
    return max(conditions.frequency_khz.values(), default=None)


def _between(before: int | None, after: int | None) -> int | None:
    return None if before is None or after is None else after - before
