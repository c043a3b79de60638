"""Operators of two tensors, item by item with broadcasting: ADD, SUB, MUL, DIV, MAXIMUM, MINIMUM, PRELU and others.

Factors in double, as tflite-micro's Prepare functions compute them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edgekit.mcu.fixed_point import quantize_multiplier
from edgekit.mcu.ir import Node
from edgekit.mcu.layer import Constant, Core, Layer, Lowered
from edgekit.mcu.ops._activation import activation_range
from edgekit.mcu.ops._base import Lower
from edgekit.mcu.ops._broadcast import broadcast, in_place
from edgekit.mcu.ops._dsp import elementwise as dsp
from edgekit.mcu.ops._lookup import LIMITS
from edgekit.mcu.ops._mve import elementwise as mve

_KERNEL_TYPES = {"int8": "s8", "int16": "s16"}
_LEFT_SHIFT = {"int8": 20, "int16": 15}
_DIV_LIMIT = 2.0**22
_MUL_LIMIT = 2.0**14
Params = dict[str, int | Constant | None]


def _types(node: Node, *allowed: str) -> str:
    """The type that both inputs and the output have."""
    kinds = {node.input(0).dtype, node.input(1).dtype, node.output.dtype}
    if len(kinds) != 1 or not kinds <= set(allowed):
        given = f"{node.input(0).dtype} with {node.input(1).dtype} to {node.output.dtype}"
        raise node.refuse(f"combines {given}; the kernels take {' or '.join(allowed)}")
    (kind,) = kinds
    if kind == "int16" and any((node.input(0).zero_point, node.input(1).zero_point, node.output.zero_point)):
        raise node.refuse("has int16 tensors with a zero point other than 0")
    return kind


def _layer(node: Node, kernel: str, params: Params, *, overlaps: Sequence[int] = (0, 1)) -> list[Layer]:
    a, b = node.input(0), node.input(1)
    return [
        Layer(
            name=f"{node.place} {node.op}",
            kernel=kernel,
            params={"shape": broadcast(node, a, b), **params},
            inputs=(a, b),
            outputs=(node.output,),
            overlaps=in_place(node, *overlaps),
        )
    ]


def _add(node: Node, core: Core) -> Sequence[Lowered]:
    kind = _types(node, *_LEFT_SHIFT)
    left = _LEFT_SHIFT[kind]
    scales = [node.input(place).scale for place in (0, 1)]
    twice = 2 * max(scales)
    factor = twice / ((1 << left) * node.output.scale)
    if factor >= 1:
        raise node.refuse(f"scales its sum by {factor:.3g}; TFLite takes less than 1")
    multiplier, shift = quantize_multiplier(factor)
    low, high = activation_range(node, node.options.integer(0, kind="b"), node.output)
    (layer,) = _layer(
        node,
        f"add_{_KERNEL_TYPES[kind]}",
        _nested(
            {
                **_scaled(node, [scale / twice for scale in scales]),
                "left": left,
                "sign": 1 if node.op == "ADD" else -1,
                "multiplier": multiplier,
                "right": -shift,
                "zero_point": node.output.zero_point,
                "low": low,
                "high": high,
            }
        ),
    )
    return [(core.mve and mve.add(layer)) or (core.dsp and dsp.add(layer)) or layer]


def _nested(params: Params) -> Params:
    """As the fields of a struct named `value`."""
    return {f"value.{name}": param for name, param in params.items()}


def _scaled(node: Node, factors: Sequence[float]) -> Params:
    """Zero point, multiplier and right shift of both inputs."""
    params: Params = {}
    for place, factor in enumerate(factors):
        multiplier, shift = quantize_multiplier(factor)
        params[f"zero{place + 1}"] = node.input(place).zero_point
        params[f"multiplier{place + 1}"] = multiplier
        params[f"right{place + 1}"] = -shift
    return params


def _squared_difference(node: Node, _core: Core) -> Sequence[Lowered]:
    kind = _types(node, "int8", "int16")
    left = {"int8": 7, "int16": 0}[kind]
    scales = [node.input(place).scale for place in (0, 1)]
    twice = 2 * max(scales)
    multiplier, shift = quantize_multiplier(twice * twice / ((1 << 2 * left) * node.output.scale))
    low, high = LIMITS[kind]
    params = {
        **_scaled(node, [scale / twice for scale in scales]),
        "left": left,
        "multiplier": multiplier,
        "shift": shift,
        "zero_point": node.output.zero_point,
        "low": low,
        "high": high,
    }
    return _layer(node, f"squared_difference_{_KERNEL_TYPES[kind]}", _nested(params))


def _mul(node: Node, _core: Core) -> Sequence[Lowered]:
    kind = _types(node, "int8", "int16")
    factor = node.input(0).scale * node.input(1).scale / node.output.scale
    if factor >= _MUL_LIMIT:
        raise node.refuse(f"scales its product by {factor:.3g}; the kernel takes less than {_MUL_LIMIT:.3g}")
    return _layer(node, f"mul_{_KERNEL_TYPES[kind]}", _nested(_product(node, factor)))


def _div(node: Node, _core: Core) -> Sequence[Lowered]:
    _types(node, "int8")
    factor = node.input(0).scale / (node.input(1).scale * node.output.scale)
    if factor >= _DIV_LIMIT:
        raise node.refuse(f"scales its quotient by {factor:.3g}; the kernel takes less than {_DIV_LIMIT:.3g}")
    return _layer(node, "div_s8", _product(node, factor))


def _product(node: Node, factor: float) -> Params:
    multiplier, shift = quantize_multiplier(factor)
    low, high = activation_range(node, node.options.integer(0, kind="b"), node.output)
    return {
        "zero1": node.input(0).zero_point,
        "zero2": node.input(1).zero_point,
        "multiplier": multiplier,
        "shift": shift,
        "zero_point": node.output.zero_point,
        "low": low,
        "high": high,
    }


def _prelu(node: Node, _core: Core) -> Sequence[Lowered]:
    _types(node, "int8")
    given, slope, made = node.input(0), node.input(1), node.output
    multiplier1, shift1 = quantize_multiplier(given.scale / made.scale)
    multiplier2, shift2 = quantize_multiplier(given.scale * slope.scale / made.scale)
    params: Params = {
        "zero1": given.zero_point,
        "zero2": slope.zero_point,
        "multiplier1": multiplier1,
        "shift1": shift1,
        "multiplier2": multiplier2,
        "shift2": shift2,
        "zero_point": made.zero_point,
    }
    return _layer(node, "prelu_s8", params)


def _extreme(node: Node, _core: Core) -> Sequence[Lowered]:
    kind = _types(node, "int8", "int16")
    return _layer(node, f"{node.op.lower()}_{_KERNEL_TYPES[kind]}", {})


LOWERINGS: Mapping[str, Lower] = {
    "ADD": _add,
    "DIV": _div,
    "MAXIMUM": _extreme,
    "MINIMUM": _extreme,
    "MUL": _mul,
    "PRELU": _prelu,
    "SQUARED_DIFFERENCE": _squared_difference,
    "SUB": _add,
}
