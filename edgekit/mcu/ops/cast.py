"""CAST: numbers in another type."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edgekit.mcu.ir import Node
from edgekit.mcu.layer import Core, Layer, Lowered, View
from edgekit.mcu.ops._base import Lower
from edgekit.mcu.ops._lookup import EIGHT_BITS, lookup

_SHORT = {"int8": "s8", "int16": "s16", "int32": "s32", "float32": "f32"}


def _cast(node: Node, _core: Core) -> Sequence[Lowered]:
    given, made = node.input(0), node.output
    if given.elements != made.elements:
        raise node.refuse(f"turns {given.elements} values into {made.elements}")
    if given.dtype == made.dtype:
        return [View(input=given, output=made)]
    if given.dtype in EIGHT_BITS and made.dtype in _SHORT:
        return lookup(node, lambda x: _wrapped(x) if made.dtype == "int8" else x)
    if given.dtype not in _SHORT or made.dtype not in _SHORT:
        raise node.refuse(f"turns {given.dtype} into {made.dtype}; it takes {', '.join(_SHORT)}")
    return [
        Layer(
            name=f"{node.place} {node.op}",
            kernel=f"cast_{_SHORT[given.dtype]}_{_SHORT[made.dtype]}",
            params={"size": given.elements},
            inputs=(given,),
            outputs=(made,),
        )
    ]


def _wrapped(x: int) -> int:
    return (x + 128) % 256 - 128


LOWERINGS: Mapping[str, Lower] = {"CAST": _cast}
