"""SVDF with int8 activations: a bank of filters over time, its state int8 or int16."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from edgekit.mcu.fixed_point import quantize_multiplier
from edgekit.mcu.ir import Node
from edgekit.mcu.layer import Constant, Core, Layer, Lowered
from edgekit.mcu.ops._base import Lower

_KERNELS = {"int8": "svdf_s8", "int16": "svdf_s8_s16"}


def _svdf(node: Node, _core: Core) -> Sequence[Lowered]:
    given, made, state = node.input(0), node.output, node.input(4)
    features, times = node.constant(1), node.constant(2)
    _check(node)
    rank = node.options.integer(0)
    filters, inputs = features.shape
    units = filters // rank
    bias = np.zeros(units, np.int32) if node.optional(3) is None else node.constant(3)
    folded = -given.zero_point * features.astype(np.int64).sum(axis=1)
    state_multiplier, state_shift = quantize_multiplier(given.scale * node.input(1).scale / state.scale)
    multiplier, shift = quantize_multiplier(state.scale * node.input(2).scale / made.scale)
    return [
        Layer(
            name=f"{node.place} {node.op}",
            kernel=_KERNELS[state.dtype],
            params={
                "feature_weights": Constant(array=features),
                "time_weights": Constant(array=times),
                "feature_bias": Constant(array=folded.astype(np.int32)),
                "bias": Constant(array=bias),
                "batches": given.elements // inputs,
                "inputs": inputs,
                "units": units,
                "rank": rank,
                "memory": times.shape[1],
                "state_multiplier": state_multiplier,
                "state_shift": state_shift,
                "state_zero_point": state.zero_point,
                "multiplier": multiplier,
                "shift": shift,
                "zero_point": made.zero_point,
            },
            inputs=(given,),
            outputs=(made, state),
            macs=given.elements // inputs * filters * (inputs + times.shape[1]),
        )
    ]


def _check(node: Node) -> None:
    given, made, state = node.input(0), node.output, node.input(4)
    features, times = node.constant(1), node.constant(2)
    if {given.dtype, made.dtype, features.dtype.name} != {"int8"} or state.dtype not in _KERNELS:
        raise node.refuse(f"computes {given.dtype} x {features.dtype} with {state.dtype} state; the kernels take int8")
    if not state.is_variable or state.data is not None or times.dtype.name != state.dtype:
        raise node.refuse("keeps its state in a tensor that is no variable, or of another type than the time weights")
    rank, filters = node.options.integer(0), features.shape[0]
    batches = given.elements // features.shape[1]
    if rank < 1 or filters % rank or times.shape[0] != filters or state.elements != batches * times.size:
        raise node.refuse(f"has {filters} filters of rank {rank} and a state {list(state.shape)}")
    if node.input(1).zero_point or node.input(2).zero_point or (state.dtype == "int16" and state.zero_point):
        raise node.refuse("has weights or an int16 state with a zero point")


LOWERINGS: Mapping[str, Lower] = {"SVDF": _svdf}
