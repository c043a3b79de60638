"""ADD with SMMULR."""

from __future__ import annotations

from dataclasses import replace

from edgekit.mcu.layer import Layer

_MOST_RIGHT = 22  # so that zero_point * 2**right and a sum of at most 2**28 stay in 31 bits


def add(portable: Layer) -> Layer | None:
    """The layer of the portable kernel `add_s8`; None where an input is broadcast or a constant does not fit."""
    shapes = {value.shape for value in (*portable.inputs, *portable.outputs)}
    if portable.kernel != "add_s8" or len(shapes) != 1:
        return None
    fields = {name.removeprefix("value."): value for name, value in portable.params.items()}
    numbers = {name: value for name, value in fields.items() if isinstance(value, int)}
    right = numbers["right"]
    if not 0 < right <= _MOST_RIGHT or numbers["sign"] < 0:
        return None
    params = {name: numbers[name] for name in ("zero1", "multiplier1", "right1", "zero2", "multiplier2", "right2")} | {
        "multiplier": numbers["multiplier"],
        "right": right,
        "half": (1 << (right - 1)) + (numbers["zero_point"] << right),
        "low": numbers["low"],
        "high": numbers["high"],
        "elements": portable.outputs[0].elements,
    }
    return replace(portable, kernel="add_s8_dsp", params=params)
