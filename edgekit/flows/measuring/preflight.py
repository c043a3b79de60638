"""Whether a machine is fit to be measured, from two looks at it (edgekit-bench/1, D2)."""

from __future__ import annotations

from collections.abc import Iterator

from edgekit.core.measurement import Conditions, Doubt, Validity
from edgekit.core.units import format_bytes
from edgekit.flows.measuring import looks
from edgekit.flows.measuring.start import WITHIN_C

LOOK_S = 3.0
"""Time between the looks."""

BUSY_SHARE = 0.10
START_TEMPERATURE_C = 60.0
MEMORY_FACTOR = 1.5
DISK_BYTES = 8 * 1024 * 1024
"""Room for the outputs of the check and the profilers' traces; inputs and model are there already."""


def doubts_before(
    first: Conditions | None, second: Conditions | None, *, need_bytes: int, usual_c: float | None = None
) -> tuple[Doubt, ...]:
    """What is against measuring now.

    Args:
        first, second: two looks, `LOOK_S` apart; None from an agent that does not tell.
        need_bytes: memory that the model will probably take.
        usual_c: temperature at which this device's measurements begin; None while that is not known.
    """
    if first is None or second is None:
        return (Doubt(flag=Validity.NOISY, reason="the device does not tell what else runs on it"),)
    return (
        *_load(first, second),
        *_memory(first, second, need_bytes),
        *heat(first, second, usual_c),
        *_cold(second, usual_c),
    )


def disk(free_bytes: int) -> tuple[Doubt, ...]:
    """What is against measuring beside so little free space: a full disk makes the system write and clean meanwhile.

    Args:
        free_bytes: where the agent keeps its files.
    """
    if free_bytes >= DISK_BYTES:
        return ()
    reason = f"{format_bytes(free_bytes)} of disk are free for the {format_bytes(DISK_BYTES)} that the session may take"
    return (Doubt(flag=Validity.NOISY, reason=reason),)


def heat(first: Conditions, second: Conditions, usual_c: float | None = None) -> tuple[Doubt, ...]:
    """What a wait may cure."""
    return tuple(_heat(first, second, usual_c))


def _cold(second: Conditions, usual_c: float | None) -> Iterator[Doubt]:
    if usual_c is not None and second.temperature_c is not None and second.temperature_c < usual_c - WITHIN_C:
        reason = f"it starts at {second.temperature_c:.0f} C, its measurements begin at {usual_c:.0f} C"
        yield Doubt(flag=Validity.NOISY, reason=reason)


def _heat(first: Conditions, second: Conditions, usual_c: float | None) -> Iterator[Doubt]:
    if second.temperature_c is not None and second.temperature_c > START_TEMPERATURE_C:
        reason = f"it starts at {second.temperature_c:.0f} C, above {START_TEMPERATURE_C:.0f} C"
        yield Doubt(flag=Validity.THROTTLED, reason=reason)
    elif usual_c is not None and second.temperature_c is not None and second.temperature_c > usual_c + WITHIN_C:
        reason = f"it starts at {second.temperature_c:.0f} C, its measurements begin at {usual_c:.0f} C"
        yield Doubt(flag=Validity.NOISY, reason=reason)
    if bits := looks.throttling(first, second):
        yield Doubt(flag=Validity.THROTTLED, reason=f"the firmware says {', '.join(bits)} before the start")


def _load(first: Conditions, second: Conditions) -> Iterator[Doubt]:
    others = looks.others_share(first, second)
    if others is None:
        yield Doubt(flag=Validity.NOISY, reason="the device tells no CPU times, so other work would not be seen")
    elif others > BUSY_SHARE:
        yield Doubt(flag=Validity.NOISY, reason=f"other work takes {others:.0%} of the cores before the start")


def _memory(first: Conditions, second: Conditions, need_bytes: int) -> Iterator[Doubt]:
    if (pages := looks.swapped_pages(first, second)) > 0:
        yield Doubt(flag=Validity.NOISY, reason=f"{pages} pages are swapped before the start")
    if second.available_bytes is not None and second.available_bytes < MEMORY_FACTOR * need_bytes:
        free, need = format_bytes(second.available_bytes), format_bytes(need_bytes)
        yield Doubt(flag=Validity.NOISY, reason=f"{free} of memory are free for the {need} that the model takes")
