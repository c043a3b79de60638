"""Arrays as they travel: raw little-endian bytes, named by their digest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.core.digest import sha256_bytes
from edgekit.core.errors import InputError
from edgekit.device.replies import DTYPES


@dataclass(frozen=True, kw_only=True)
class TensorRef:
    """A tensor that is staged on a device; its first axis is the sample.

    Attributes:
        blob: SHA-256 of the raw bytes.
        shape: sizes of all axes.
        dtype: NumPy's name.
    """

    blob: str
    shape: tuple[int, ...]
    dtype: str

    def as_json(self) -> dict[str, object]:
        """T of docs/protocol.md."""
        return {"blob": self.blob, "shape": list(self.shape), "dtype": self.dtype}


def encode(array: NDArray[Any]) -> tuple[TensorRef, bytes]:
    """An array's name and bytes.

    Args:
        array: of any shape with at least one axis, of a type in `replies.DTYPES`.

    Raises:
        InputError: the type does not travel.
    """
    if array.dtype.name not in DTYPES or array.ndim == 0:
        raise InputError(
            f"a tensor of type {array.dtype} and shape {list(array.shape)} cannot be sent to a device",
            hint=f"convert it to one of {', '.join(sorted(DTYPES))}, with the sample as first axis",
        )
    data = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<")).tobytes()
    return TensorRef(blob=sha256_bytes(data), shape=array.shape, dtype=array.dtype.name), data
