"""Tensors of torch from raw bytes, and bytes from tensors, without NumPy: a device needs one wheel less."""

from __future__ import annotations

import ctypes
import importlib
import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

SCALAR_TYPES = {
    0: "uint8",
    1: "int8",
    2: "int16",
    3: "int32",
    4: "int64",
    5: "float16",
    6: "float32",
    7: "float64",
    11: "bool",
}
"""Numbers of torch's dtypes (c10/core/ScalarType.h), as ExecuTorch's metadata gives them."""


def samples(data: memoryview, spec: dict[str, Any], count: int) -> Iterable[Any]:
    """The `count` samples of a raw data set, each a tensor of the input's own shape; no copy.

    Args:
        data: C order, little-endian.
        spec: `shape` and `dtype` of the input.
        count: of samples.
    """
    torch = importlib.import_module("torch")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # the data may be read-only: nobody writes to it
        flat = torch.frombuffer(data, dtype=getattr(torch, spec["dtype"]))
    tensors: Iterable[Any] = flat.view(count, *spec["shape"]).unbind()
    return tensors


def content(value: Any) -> bytes:
    """The tensor's elements in C order."""
    whole = value.detach().contiguous()
    return ctypes.string_at(whole.data_ptr(), whole.numel() * whole.element_size())
