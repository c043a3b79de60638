"""What convolutions share: padding, scales, and the input's zero point folded into the bias."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from edgekit.mcu.fixed_point import quantize_multipliers
from edgekit.mcu.ir import Node, Value
from edgekit.mcu.layer import Constant
from edgekit.mcu.ops._overlap import Window

if TYPE_CHECKING:
    from numpy.typing import NDArray

SAME, VALID = 0, 1
_MOST_LEFT_SHIFT = 7
"""To which TFLite scales 64-bit sums."""


def window(
    node: Node, kernel: tuple[int, int], *, padding: int, stride: tuple[int, int], dilation: tuple[int, int]
) -> Window:
    """The window of a convolution or pooling over its first input, as TFLite's ComputePaddingHeightWidth places it.

    Raises:
        UnsupportedError: not images, or an output whose shape does not follow.
    """
    given, made = node.input(0), node.output
    if len(given.shape) != 4 or len(made.shape) != 4 or min(*stride, *dilation) < 1:
        raise node.refuse(f"turns {list(given.shape)} into {list(made.shape)} with the stride {list(stride)}")
    size, out = given.shape[1:3], made.shape[1:3]
    spans = tuple((kernel[axis] - 1) * dilation[axis] + 1 for axis in (0, 1))
    above = [0, 0]
    for axis in (0, 1):
        covered = size[axis] if padding == SAME else size[axis] - spans[axis] + 1
        if out[axis] != max(0, -(-covered // stride[axis])) or out[axis] < 1:
            raise node.refuse(f"turns {list(given.shape)} into {list(made.shape)}: the padding gives another size")
        missing = (out[axis] - 1) * stride[axis] + spans[axis] - size[axis]
        above[axis] = max(0, missing) // 2
    if given.shape[0] != made.shape[0]:
        raise node.refuse(f"turns {list(given.shape)} into {list(made.shape)}")
    return Window(
        input=(size[0], size[1]), output=(out[0], out[1]), kernel=kernel, stride=stride, dilation=dilation,
        padding=(above[0], above[1]), batches=given.shape[0],
    )  # fmt: skip


def check_types(node: Node, given: Value, weights: Value, made: Value) -> str:
    """The suffix of the kernel, "s8" or "s16".

    Raises:
        UnsupportedError: other types than int8 x int8 -> int8 or int16 x int8 -> int16.
    """
    types = (given.dtype, weights.dtype, made.dtype)
    if types == ("int8", "int8", "int8"):
        return "s8"
    if types == ("int16", "int8", "int16"):
        if given.zero_point or made.zero_point:
            raise node.refuse("has int16 values with a zero point other than 0")
        return "s16"
    raise node.refuse(
        f"computes {given.dtype} x {weights.dtype} -> {made.dtype}; the kernels take int8 and int16 with int8 weights",
        hint="quantize the model to int8: edgekit compile MODEL --calibration-data ...",
    )


def symmetric(node: Node) -> NDArray[np.int8]:
    """The weights of a convolution, its second input.

    Raises:
        UnsupportedError: computed weights, no quantization, or a zero point, which TFLite's kernels ignore.
    """
    value = node.input(1)
    weights: NDArray[np.int8] = node.constant(1)
    if value.quantization is None:
        raise node.refuse(f"has weights without scales, {value.name!r}")
    if any(value.quantization.zero_points):
        raise node.refuse("has weights with a zero point other than 0", hint="quantize weights symmetrically")
    return weights


@dataclass(frozen=True, kw_only=True)
class Sums:
    """The sums of products that a layer computes, and how TFLite scales them.

    Attributes:
        node: the layer.
        given: what is multiplied by the weights.
        weights: [outputs, weights of one output].
        bias_place: which of the node's inputs is the bias.
        wide: whether int16 sums have 64 bits and a multiplier of 16 bits.
    """

    node: Node
    given: Value
    weights: NDArray[np.int8]
    bias_place: int = 2
    wide: bool = False

    def bias(self) -> NDArray[Any]:
        """The bias of each output, 0 where there is none; shape [outputs], int32, for int16 activations int64.

        Raises:
            UnsupportedError: sums that may leave the accumulator.
        """
        node, outputs = self.node, len(self.weights)
        given = np.zeros(outputs, np.int64)
        if node.optional(self.bias_place) is not None:
            given = node.constant(self.bias_place).astype(np.int64).ravel()
        if len(given) != outputs:
            raise node.refuse(f"has {outputs} outputs and {len(given)} biases")
        bits = 47 if self.wide else 31
        if self._largest_sum(given) >= 2**bits:
            raise node.refuse(f"may sum up to {self._largest_sum(given)}, more than {bits} bits hold")
        return given.astype(np.int32 if self.given.dtype == "int8" else np.int64)

    def _largest_sum(self, bias: NDArray[Any]) -> int:
        """What no sum exceeds in magnitude, the zero point in the bias or not."""
        most = 255 if self.given.dtype == "int8" else 2**15
        return int(np.max(np.abs(bias) + most * np.abs(self.weights.astype(np.int64)).sum(axis=1), initial=0))

    def folded_bias(self, weights: NDArray[np.int8] | None = None) -> NDArray[Any]:
        """As `bias`, with the input's zero point in it, so that kernels multiply raw inputs.

        Args:
            weights: those that meet an input, [outputs, n]; all when None.
        """
        met = self.weights if weights is None else weights
        bias = self.bias()
        folded: NDArray[Any] = bias - (self.given.zero_point * met.astype(np.int32).sum(axis=1)).astype(bias.dtype)
        return folded

    def requantization(self) -> dict[str, int | Constant]:
        """The fields `multipliers` and `shifts`, the scales multiplied in double; for int16 also `wide`."""
        outputs = len(self.weights)
        factors = self.given.scale * self.node.input(1).scales / self.node.output.scale
        if len(factors) not in (1, outputs):
            raise self.node.refuse(f"has {outputs} outputs and {len(factors)} scales")
        multipliers, shifts = quantize_multipliers(np.broadcast_to(factors, (outputs,)))
        if self.given.dtype == "int8":
            small = shifts.size > 0 and shifts.max() < 0 and self._largest_sum(self.bias().astype(np.int64)) < 2**30
            return {"multipliers": Constant(array=multipliers), "shifts": Constant(array=shifts), "small": int(small)}
        if self.wide:  # MultiplyByQuantizedMultiplier of 64 bits
            if shifts.max(initial=0) > _MOST_LEFT_SHIFT:
                raise self.node.refuse(f"scales its sums by {factors.max()}")
            multipliers = np.where(multipliers < 0x7FFF0000, (multipliers + (1 << 15)) >> 16, 0x7FFF).astype(np.int32)
            shifts = (15 - shifts).astype(np.int32)
        return {
            "multipliers": Constant(array=multipliers),
            "shifts": Constant(array=shifts),
            "wide": int(self.wide),
        }
