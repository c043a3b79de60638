"""The state of a device at one moment, as its agent tells it."""

from __future__ import annotations

from edgekit.core.measurement import Conditions
from edgekit.device.fields import Fields
from edgekit.transports import printable

_ABSOLUTE_ZERO_C = -273.15


def parse_conditions(fields: Fields) -> Conditions:
    """Read K of docs/protocol.md; frequencies that are not known are left out."""
    frequencies = fields.fields("frequency_khz")
    return Conditions(
        monotonic_ns=fields.integer("monotonic_ns"),
        realtime_ns=fields.integer("realtime_ns"),
        cpu_ns=fields.optional_integer("cpu_ns"),
        busy_ticks=fields.optional_integer("busy_ticks"),
        all_ticks=fields.optional_integer("all_ticks"),
        swapped_pages=fields.optional_integer("swapped_pages"),
        available_bytes=fields.optional_integer("available_bytes"),
        load=fields.optional_number("load"),
        temperature_c=fields.optional_number("temperature_c", minimum=_ABSOLUTE_ZERO_C),
        frequency_khz={
            printable(core, limit=10): frequencies.integer(core)
            for core in frequencies.names()
            if frequencies.has(core)
        },
        throttled=fields.optional_integer("throttled"),
    )


def conditions_of(environment: Fields) -> Conditions | None:
    """The conditions within an environment; None from an agent that does not tell them."""
    conditions = environment.fields("conditions") if environment.has("conditions") else None
    return None if conditions is None else parse_conditions(conditions)
