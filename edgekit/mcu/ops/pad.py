"""PAD, PADV2 and MIRROR_PAD."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from edgekit.mcu.ir import Node
from edgekit.mcu.layer import Core, Layer, Lowered, Overlap
from edgekit.mcu.ops._base import Lower
from edgekit.mcu.ops._overlap import NOTHING, distance
from edgekit.mcu.ops._pick import pick

if TYPE_CHECKING:
    from numpy.typing import NDArray

_KINDS = {"int8": "s8", "int16": "s16"}
_AXES = 4
_REFLECT = 0


def _amounts(node: Node) -> NDArray[np.int64]:
    """(before, after) of each axis; shape [axes, 2]."""
    given, made = node.input(0), node.output
    amounts: NDArray[np.int64] = node.constant(1).astype(np.int64)
    sums = np.asarray(given.shape) + amounts.reshape(-1, 2).sum(axis=1) if amounts.size == 2 * len(given.shape) else ()
    if amounts.min(initial=0) < 0 or tuple(sums) != made.shape:
        raise node.refuse(f"pads {list(given.shape)} by {amounts.tolist()} to {list(made.shape)}")
    return amounts.reshape(-1, 2)


def _pad(node: Node, _core: Core) -> Sequence[Lowered]:
    given, made = node.input(0), node.output
    if given.dtype != made.dtype or given.dtype not in _KINDS:
        raise node.refuse(f"pads {given.dtype} to {made.dtype}; the kernels take int8 and int16")
    if len(given.shape) > _AXES:
        raise node.refuse(f"pads {len(given.shape)} axes; the kernel takes {_AXES}")
    value = made.zero_point if node.optional(2) is None else int(node.constant(2).ravel()[0])
    missing = _AXES - len(given.shape)
    before = (*[0] * missing, *_amounts(node)[:, 0].tolist())
    sizes, out = (*[1] * missing, *given.shape), (*[1] * missing, *made.shape)
    item = given.size_bytes // given.elements
    after = (np.subtract(out, sizes) - before).tolist()
    read = np.arange(given.elements, dtype=np.int64).reshape(sizes)
    taken = np.pad(read, [*zip(before, after, strict=True)], constant_values=NOTHING)
    written = np.arange(1, made.elements + 1, dtype=np.int64) * item
    fields = {"in": sizes, "out": out, "before": before}
    return [
        Layer(
            name=f"{node.place} {node.op}",
            kernel=f"pad_{_KINDS[given.dtype]}",
            params={f"{name}_{axis}": size for name, all_axes in fields.items() for axis, size in enumerate(all_axes)}
            | {"value": value},
            inputs=(given,),
            outputs=(made,),
            overlaps=(Overlap(input=0, distance=distance(written, np.minimum(taken.ravel(), NOTHING // item) * item)),),
        )
    ]


def _mirror_pad(node: Node, _core: Core) -> Sequence[Lowered]:
    edge = 1 if node.options.integer(0, kind="b") == _REFLECT else 0
    shape, amounts = node.input(0).shape, _amounts(node)
    if any(max(pair) > size - edge for pair, size in zip(amounts.tolist(), shape, strict=True)):
        raise node.refuse(f"mirrors {amounts.tolist()} of {list(shape)}: more than there is")
    return [pick(node, [_mirrored(size, pair, edge) for size, pair in zip(shape, amounts.tolist(), strict=True)])]


def _mirrored(size: int, pair: Sequence[int], edge: int) -> NDArray[np.int64]:
    """Where each place of a padded axis comes from; `edge` 1 leaves the border out of the mirror image."""
    before, after = pair
    inside = np.arange(size, dtype=np.int64)
    return np.concatenate([inside[edge : edge + before][::-1], inside, inside[::-1][edge : edge + after]])


LOWERINGS: Mapping[str, Lower] = {"PAD": _pad, "PADV2": _pad, "MIRROR_PAD": _mirror_pad}
