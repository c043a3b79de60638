"""How far an output may lie over the input it is computed from: an exact simulation of a kernel's steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

NOTHING = 2**62
"""The lowest byte of a step that reads no input."""


def distance(written: NDArray[np.int64], lowest: NDArray[np.int64]) -> int:
    """The `distance` of an `Overlap`, bytes.

    Args:
        written: bytes of output that are written after each step, from the output's begin; shape [steps].
        lowest: the lowest byte of input that each step reads, before it writes; shape [steps].
    """
    later = np.minimum.accumulate(lowest[::-1])[::-1]
    return int(np.max(written[:-1] - later[1:], initial=-NOTHING))


@dataclass(frozen=True, kw_only=True)
class Window:
    """A window that slides over an image of [batches, height, width] pixels.

    Attributes:
        input, output: (height, width).
        kernel, stride, dilation, padding: (down, right); padding is what lies above and to the left.
        batches: images.
    """

    input: tuple[int, int]
    output: tuple[int, int]
    kernel: tuple[int, int]
    stride: tuple[int, int]
    dilation: tuple[int, int]
    padding: tuple[int, int]
    batches: int

    def lowest_bytes(self, pixel_bytes: int, offsets: NDArray[np.int64]) -> NDArray[np.int64]:
        """The lowest byte of input that each step reads, where every output pixel takes one step for each offset.

        Args:
            pixel_bytes: bytes of an input pixel, all its channels.
            offsets: where in a pixel each step begins to read, bytes; shape [steps of a pixel].

        Returns:
            Shape [output pixels * steps of a pixel]; a window wholly in the padding reads `NOTHING`.
        """
        rows, columns = (self._first(axis) for axis in (0, 1))
        pixels = (rows[:, None] * self.input[1] + columns).ravel()
        images = np.arange(self.batches, dtype=np.int64)[:, None] * (self.input[0] * self.input[1])
        empty = ((rows[:, None] < 0) | (columns < 0)).ravel()
        lowest = np.where(empty, NOTHING, (images + pixels) * pixel_bytes)
        return (lowest.reshape(-1, 1) + offsets).ravel()

    def fields(self) -> dict[str, int]:
        """The fields of a `struct ek_window` with the name `window`."""
        down, right = (
            (
                self.input[axis],
                self.output[axis],
                self.kernel[axis],
                self.stride[axis],
                self.dilation[axis],
                self.padding[axis],
            )
            for axis in (0, 1)
        )
        names = ("in", "out", "kernel", "stride", "dilation", "pad")
        return (
            {f"window.{name}_h": value for name, value in zip(names, down, strict=True)}
            | {f"window.{name}_w": value for name, value in zip(names, right, strict=True)}
            | {"window.batches": self.batches}
        )

    def _first(self, axis: int) -> NDArray[np.int64]:
        """The first row (column) inside the image that the window at each output row touches; -1 for none."""
        begins = np.arange(self.output[axis], dtype=np.int64) * self.stride[axis] - self.padding[axis]
        skipped = np.maximum(0, -(begins // self.dilation[axis]))  # taps above the image: ceil(-begin / dilation)
        first = begins + skipped * self.dilation[axis]
        return np.where((skipped >= self.kernel[axis]) | (first >= self.input[axis]), -1, first)
