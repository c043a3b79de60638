"""UNIDIRECTIONAL_SEQUENCE_LSTM with int8 or int16 activations, int8 weights, int16 cell state.

As tflite-micro's kernel: no peephole, no projection, no layer normalization, no coupled gates.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from edgekit.mcu.fixed_point import quantize_multiplier, wide_multiplier
from edgekit.mcu.ir import Node, Value
from edgekit.mcu.layer import Constant, Core, Layer, Lowered
from edgekit.mcu.ops import _curve
from edgekit.mcu.ops._base import Lower

_GATES = (1, 0, 2, 3)  # forget, input, cell, output: places after the first weights and biases
_INPUT_WEIGHTS, _RECURRENT_WEIGHTS, _BIASES = 1, 5, 12
_HIDDEN, _CELL = 18, 19
_ABSENT = (9, 10, 11, 16, 17, 20, 21, 22, 23)
_GATE_SCALE, _ACTIVATION_SCALE = 2.0**-12, 2.0**-15
_TANH = 4
_KERNELS = {"int8": "lstm_s8", "int16": "lstm_s16"}
Params = dict[str, int | Constant | None]


def _lstm(node: Node, core: Core) -> Sequence[Lowered]:
    given, made, hidden, cell = node.input(0), node.output, node.input(_HIDDEN), node.input(_CELL)
    _check(node, given, made, hidden, cell)
    time_major = node.options.flag(3)
    steps, batches = given.shape[:2] if time_major else given.shape[1::-1]
    inputs, cells = given.shape[2], made.shape[2]
    return [
        Layer(
            name=f"{node.place} {node.op}",
            kernel=_KERNELS[given.dtype] + ("_dsp" if core.dsp and given.dtype == "int8" else ""),
            params=_nested(
                **_gates(node),
                **_curves(node, cell),
                **_products(node, cell),
                batches=batches,
                steps=steps,
                inputs=inputs,
                cells=cells,
                batch_pitch=1 if time_major else steps,
                step_pitch=batches if time_major else 1,
                zero_point=hidden.zero_point,
            ),
            inputs=(given,),
            outputs=(made, hidden, cell),
            macs=4 * batches * steps * cells * (inputs + cells),
        )
    ]


def _nested(**params: int | Constant | None) -> Params:
    """As the fields of a struct named `run`."""
    return {f"run.{name}": value for name, value in params.items()}


def _check(node: Node, given: Value, made: Value, hidden: Value, cell: Value) -> None:
    kinds = {given.dtype, made.dtype, hidden.dtype}
    if len(kinds) != 1 or given.dtype not in _KERNELS or cell.dtype != "int16":
        raise node.refuse(f"computes {sorted(kinds)}; the kernels take int8 or int16 and an int16 cell state")
    if not (hidden.is_variable and cell.is_variable) or hidden.data is not None or cell.data is not None:
        raise node.refuse("keeps its state in tensors that are no variables")
    if any(node.optional(place) is not None for place in _ABSENT):
        raise node.refuse("has a peephole, a projection or layer normalization, which tflite-micro does not take")
    if node.options.integer(0, kind="b") != _TANH or node.options.number(2):
        raise node.refuse("has an activation other than tanh, or clips a projection")
    count = math.prod(given.shape[:2]) if len(given.shape) == 3 else 0
    if made.shape[:-1] != given.shape[:-1] or not count or hidden.elements != cell.elements:
        raise node.refuse(f"turns {list(given.shape)} into {list(made.shape)}; it takes [batch, time, values]")


def _gates(node: Node) -> Params:
    """Weights, biases and scales of the four gates, cell by cell."""
    given, hidden = node.input(0), node.input(_HIDDEN)
    wide = given.dtype == "int16"
    matrices: list[list[np.ndarray[tuple[int, ...], np.dtype[np.int8]]]] = [[], []]
    biases: list[list[np.ndarray[tuple[int, ...], np.dtype[np.int64]]]] = [[], []]
    scales = []
    for gate in _GATES:
        for side, (first, source) in enumerate(((_INPUT_WEIGHTS, given), (_RECURRENT_WEIGHTS, hidden))):
            weights, value = node.constant(first + gate), node.input(first + gate)
            if weights.dtype != np.int8 or len(value.scales) != 1 or value.zero_point:
                raise node.refuse(f"has the weights {value.name!r}, not int8 with one scale")
            bias = node.constant(_BIASES + gate).astype(np.int64) if side == 0 else np.int64(0)
            biases[side].append(bias - source.zero_point * weights.astype(np.int64).sum(axis=1))
            factor = source.scale * value.scale / _GATE_SCALE
            scales.append(wide_multiplier(factor) if wide else quantize_multiplier(factor))
            matrices[side].append(weights)
    return {
        "input_weights": Constant(array=np.stack(matrices[0], axis=1)),
        "recurrent_weights": Constant(array=np.stack(matrices[1], axis=1)),
        "biases": Constant(array=np.stack(biases[0] + biases[1], axis=1).astype(np.int64 if wide else np.int32)),
        "scales": Constant(array=np.array(scales, dtype=np.int32)),
    }


def _curves(node: Node, cell: Value) -> Params:
    """Of the gates, whose arguments are Q3.12, and of the cell state, whose scale is a power of two."""
    power = round(math.log2(cell.scale))
    if abs(math.log2(cell.scale) - power) >= 1e-3:
        raise node.refuse(f"has the cell scale {cell.scale}, which is no power of two")
    shift = power + 12
    of_cell = _curve.fields(3 << shift, 0) if shift >= 0 else _curve.fields(3, -shift)
    of_gates = _curve.fields(3, 0)
    return {name.replace("curve", "cell.gate_curve"): value for name, value in of_gates.items()} | {
        name.replace("curve", "cell.cell_curve"): value for name, value in of_cell.items()
    }


def _products(node: Node, cell: Value) -> Params:
    """Forget gate times cell, input gate times update, output gate times tanh of the cell; and the clip."""
    clip = node.options.number(1)
    factors = {
        "forget": _ACTIVATION_SCALE * cell.scale / cell.scale,
        "input": _ACTIVATION_SCALE * _ACTIVATION_SCALE / cell.scale,
        "output": _ACTIVATION_SCALE * _ACTIVATION_SCALE / node.input(_HIDDEN).scale,
    }
    limit = int(min(clip / cell.scale, 32767.0))
    params: Params = {"cell.lowest": -limit if clip > 0 else -32768, "cell.highest": limit if clip > 0 else 32767}
    for name, factor in factors.items():
        params[f"cell.{name}_multiplier"], params[f"cell.{name}_shift"] = quantize_multiplier(factor)
    return params


LOWERINGS: Mapping[str, Lower] = {"UNIDIRECTIONAL_SEQUENCE_LSTM": _lstm}
