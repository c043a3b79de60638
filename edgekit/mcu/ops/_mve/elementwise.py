"""ADD and SUB with the vector extension."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from edgekit.mcu.fixed_point import multiply
from edgekit.mcu.layer import Layer

_INT8 = range(-128, 128)


def add(portable: Layer) -> Layer | None:
    """The layer of the portable kernel `add_s8` in vectors; None where an input is broadcast."""
    shapes = {value.shape for value in (*portable.inputs, *portable.outputs)}
    if portable.kernel != "add_s8" or len(shapes) != 1:
        return None
    params = {name: value for name, value in portable.params.items() if name.startswith("value.")}
    numbers = {name.removeprefix("value."): value for name, value in params.items() if isinstance(value, int)}
    is_clamped = numbers["low"] >= numbers["zero_point"]
    ties = not is_clamped or any(_has_ties(numbers, place) for place in (1, 2))
    params |= {"elements": portable.outputs[0].elements, "ties": int(ties)}
    return replace(portable, kernel="add_s8_mve", params=params)


def _has_ties(numbers: Mapping[str, int], place: int) -> bool:
    """Whether an input has a value whose rescaled one ends in a half below zero: tried for all of them."""
    zero, factor, right = (numbers[f"{name}{place}"] for name in ("zero", "multiplier", "right"))
    for value in _INT8:
        product = multiply((value - zero) << numbers["left"], factor, 0)
        if right and product < 0 and product % (1 << right) == 1 << (right - 1):
            return True
    return False
