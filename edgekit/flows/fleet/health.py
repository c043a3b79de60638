"""What speaks against giving a device work, by what it says of itself before anything is sent to it."""

from __future__ import annotations

from dataclasses import dataclass

from edgekit.core.measurement import Conditions
from edgekit.core.units import format_bytes
from edgekit.device.replies import Status

HOTTEST_C = 85.0
"""Where the boards that we know hold their clock back (Raspberry Pi documentation, "Thermal management")."""
LEAST_FREE_BYTES = 4 * 1024 * 1024
"""What the agent itself keeps free at least on a small disk (docs/protocol.md)."""
MOST_SKEW_S = 300.0

_UNDER_VOLTAGE_NOW = 1
_NS = 1_000_000_000


@dataclass(frozen=True, kw_only=True)
class Health:
    """What a check found.

    Attributes:
        unwell: why the device gets nothing now; empty if it does.
        remarks: what a person should know, which forbids nothing.
    """

    unwell: tuple[str, ...]
    remarks: tuple[str, ...]


def health_of(status: Status, conditions: Conditions | None, now_ns: int) -> Health:
    """Judge a device.

    Args:
        status: as it just told.
        conditions: the same of its machine; None if it does not tell.
        now_ns: this computer's wall clock.
    """
    unwell, remarks = [], list(status.warnings)
    if status.free_bytes < LEAST_FREE_BYTES:
        unwell.append(f"{format_bytes(status.free_bytes)} are free on its disk")
    if conditions is not None:
        if conditions.temperature_c is not None and conditions.temperature_c >= HOTTEST_C:
            unwell.append(f"it is {conditions.temperature_c:.0f} °C hot")
        if conditions.throttled is not None and conditions.throttled & _UNDER_VOLTAGE_NOW:
            unwell.append("its supply voltage is too low, which damages cards while they are written")
        skew_s = abs(conditions.realtime_ns - now_ns) / _NS
        if skew_s > MOST_SKEW_S:
            remarks.append(f"its clock is {skew_s:,.0f} s off; nothing is decided by it")
    return Health(unwell=tuple(unwell), remarks=tuple(remarks))
