"""What turns stored samples into a model's input: one arithmetic rule, declared once, part of every dataset digest."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np

from edgekit.core.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SMALL_SCALE = 1 / 64
_WIDE_RANGE = 16.0
_ABSURD = 1e6
"""No model is trained on values beyond this; what is that large came of a wrong mean, std or scale."""


class Layout(StrEnum):
    """Order of an image batch's axes."""

    NHWC = "nhwc"
    NCHW = "nchw"


class Color(StrEnum):
    """Channels that an image file is read into."""

    RGB = "rgb"
    GRAY = "gray"

    @property
    def channels(self) -> int:
        """Number of channels."""
        return 3 if self is Color.RGB else 1


@dataclass(frozen=True, kw_only=True)
class Preprocessing:
    """`y = (x * scale + offset - mean) / std`, computed in float32, then cast to `dtype`.

    Attributes:
        scale, offset: applied to every value.
        mean, std: one value per channel, or one for all; empty for none.
        resize: (height, width) that image files are brought to; None keeps them as they are.
        layout: axis order of the model. Image files are brought into it; arrays have to be stored in it.
        dtype: NumPy's name of the result, e.g. "float32" or "uint8".
        color: channels that image files are read into.
    """

    scale: float = 1.0
    offset: float = 0.0
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    resize: tuple[int, int] | None = None
    layout: Layout = Layout.NHWC
    dtype: str = "float32"
    color: Color = Color.RGB

    def __post_init__(self) -> None:
        if any(value <= 0 for value in self.std):
            raise InputError(f"std {list(self.std)} has a value that is not positive", hint="give one std per channel")

    @property
    def changes_values(self) -> bool:
        """Whether anything but the dtype changes."""
        return self.scale != 1.0 or self.offset != 0.0 or bool(self.mean) or bool(self.std)

    def as_json(self) -> dict[str, Any]:
        """The rule as a JSON object."""
        return asdict(self)

    def apply(self, x: NDArray[Any]) -> NDArray[Any]:
        """Preprocess a batch.

        Args:
            x: samples, first axis = sample, any real dtype; with `mean` or `std` its channel axis is the last one
                (nhwc) or the second one (nchw).

        Returns:
            An array of the same shape and of `dtype`; `x` itself when there is nothing to do.

        Raises:
            InputError: `mean` or `std` does not fit the channels, or a value does not fit an integer `dtype`.
        """
        if not self.changes_values:
            return self._cast(x)
        y = x.astype(np.float32)
        if self.scale != 1.0:
            y *= np.float32(self.scale)
        if self.offset != 0.0:
            y += np.float32(self.offset)
        if self.mean:
            y -= self._per_channel(self.mean, y.shape, "mean")
        if self.std:
            y /= self._per_channel(self.std, y.shape, "std")
        return self._cast(y)

    def suspicion(self, raw: NDArray[Any]) -> str | None:
        """A sentence on why the stored values contradict this rule, or None.

        Args:
            raw: samples as they are stored, before `apply`.
        """
        if raw.size == 0 or raw.dtype.kind not in "uif":
            return None
        low, high = float(raw.min()), float(raw.max())
        span = f"the values run from {low:g} to {high:g}"
        if low >= 0 and high <= 1 and raw.dtype.kind == "f" and 0 < self.scale <= _SMALL_SCALE:
            return f"{span}, so they look scaled already, and scale {self.scale:g} is applied to them again"
        if self.dtype.startswith("float") and low >= 0 and _WIDE_RANGE < high <= 255:
            if not self.changes_values:
                return f'{span} and nothing scales them: right only if the model does; else set scale = "1/255"'
            if self.scale == 1 and self.mean and max(abs(value) for value in self.mean) <= 1:
                return f'{span}, yet mean {list(self.mean)} is that of values in 0..1: scale = "1/255" is missing'
        return None

    def absurdity(self, raw: NDArray[Any], ready: NDArray[Any]) -> str | None:
        """A sentence on why what this rule made cannot be what a model was trained with, or None.

        Args:
            raw: samples as they are stored.
            ready: the same after `apply`, all finite.
        """
        if not self.changes_values or not ready.size or ready.dtype.kind != "f":
            return None
        low, high = float(ready.min()), float(ready.max())
        largest = max(abs(low), abs(high))
        if largest > _ABSURD and largest > max(abs(float(raw.min())), abs(float(raw.max()))):
            return f"preprocessing makes values from {low:g} to {high:g} of them: check scale, offset, mean and std"
        if low == high and raw.min() != raw.max():
            return f"preprocessing makes {low:g} of every value: check scale, offset, mean and std"
        return None

    def _per_channel(self, values: tuple[float, ...], shape: tuple[int, ...], what: str) -> NDArray[np.float32]:
        array = np.asarray(values, np.float32)
        if array.size == 1:
            return array
        axis = 1 if self.layout is Layout.NCHW else len(shape) - 1
        if len(shape) < 2 or shape[axis] != array.size:
            raise InputError(
                f"{what} has {array.size} values, and the samples have the shape {list(shape[1:])} ({self.layout})",
                hint="give one value per channel, or one for all; check the layout",
            )
        return array.reshape([-1 if position == axis else 1 for position in range(len(shape))])

    def _cast(self, y: NDArray[Any]) -> NDArray[Any]:
        dtype = np.dtype(self.dtype)
        if y.dtype == dtype:
            return y
        if dtype.kind in "iu" and y.size:
            limits = np.iinfo(dtype)
            if y.dtype.kind == "f":
                y = np.rint(y)
            if y.min() < limits.min or y.max() > limits.max:
                raise InputError(
                    f"the preprocessed values run from {y.min():g} to {y.max():g} and do not fit {dtype}",
                    hint="check scale, offset and dtype of the preprocessing",
                )
        return y.astype(dtype)
