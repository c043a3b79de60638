"""ADD and SUB with the vector extension."""

from __future__ import annotations

from dataclasses import replace

from edgekit.mcu.layer import Layer


def add(portable: Layer) -> Layer | None:
    """The layer of the portable kernel `add_s8` in vectors; None where an input is broadcast."""
    shapes = {value.shape for value in (*portable.inputs, *portable.outputs)}
    if portable.kernel != "add_s8" or len(shapes) != 1:
        return None
    params = {name: value for name, value in portable.params.items() if name.startswith("value.")}
    return replace(portable, kernel="add_s8_mve", params=params | {"elements": portable.outputs[0].elements})
