"""ONNX models written by hand, field by field; the onnx package is not needed."""

from __future__ import annotations

import struct
from collections.abc import Mapping

from edgekit.selftest.lab.protobuf import message, number


def tensor(name: str = "w", external: Mapping[str, str] | None = None) -> bytes:
    """The content of a TensorProto of [2, 3] floats, whose bytes lie in it or elsewhere."""
    head = number(1, 2) + number(1, 3) + number(2, 1) + message(8, name.encode())
    if external is None:
        return head + message(9, struct.pack("<6f", *range(6)))
    entries = [message(13, message(1, key.encode()), message(2, value.encode())) for key, value in external.items()]
    return head + b"".join(entries) + number(14, 1)


def model(
    *tensors: bytes, operator_set: int = 17, producer: str = "pytorch", in_node: bool = False, ir_version: int = 8
) -> bytes:
    """A ModelProto: x times w gives y.

    Args:
        tensors: initializers, or with `in_node` values of Constant nodes within a branch of an If.
        operator_set: of the default domain.
        producer: what made it.
        in_node: where the tensors lie.
        ir_version: of the format.
    """
    product = message(1, message(1, b"x"), message(1, b"w"), message(2, b"y"), message(4, b"MatMul"))
    if in_node:
        constants = [message(1, message(2, b"w"), message(4, b"Constant"), message(5, message(5, t))) for t in tensors]
        branch = message(5, message(1, b"then_branch"), message(6, *constants))
        graph = [product, message(1, message(1, b"c"), message(2, b"w"), message(4, b"If"), branch)]
    else:
        graph = [product, *(message(5, each) for each in tensors)]
    return (
        number(1, ir_version)
        + message(2, producer.encode())
        + message(7, *graph, message(2, b"main"))
        + message(8, message(1, b""), number(2, operator_set))
    )
