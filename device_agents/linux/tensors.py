"""Shapes and dtypes of raw tensors: little-endian, C order, the first axis is the sample."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

ITEM_BYTES = {
    "bool": 1,
    "int8": 1,
    "uint8": 1,
    "int16": 2,
    "uint16": 2,
    "float16": 2,
    "int32": 4,
    "uint32": 4,
    "float32": 4,
    "int64": 8,
    "uint64": 8,
    "float64": 8,
}
_MAX_BYTES = 1 << 40


def size_bytes(shape: object, dtype: object) -> int:
    """Bytes of a tensor with at least one axis.

    Raises:
        ValueError: no such dtype, or a shape that is not a list of positive counts.
    """
    if not isinstance(dtype, str) or dtype not in ITEM_BYTES:
        raise ValueError(f"{dtype!r} is no dtype of {sorted(ITEM_BYTES)}")
    if not isinstance(shape, list) or not shape:
        raise ValueError(f"{shape!r} is no shape [N, ...]")
    size = ITEM_BYTES[dtype]
    for extent in shape:
        if not isinstance(extent, int) or isinstance(extent, bool) or extent < 1:
            raise ValueError(f"the shape {shape!r} has an axis that is no positive count")
        size *= extent
        if size > _MAX_BYTES:
            raise ValueError(f"the shape {shape!r} is beyond 1 TiB")
    return size


def elements(shape: list[int]) -> int:
    """Product of the extents; 1 for a scalar."""
    count = 1
    for extent in shape:
        count *= extent
    return count


def mismatch(given: list[dict[str, Any]], specs: list[dict[str, Any]]) -> str | None:
    """Why the given data sets do not fit a model's inputs; None when they do.

    One sample of a data set [N, ...] must have as many elements as the model's input, which may carry a leading batch
    axis of 1.
    """
    if len(given) != len(specs):
        return f"the model has {len(specs)} inputs, {len(given)} are given"
    for data, spec in zip(given, specs):  # noqa: B905  # zip(strict=) came with Python 3.10
        if data["dtype"] != spec["dtype"]:
            return "input {!r} is {}, the data is {}".format(spec["name"], spec["dtype"], data["dtype"])
        if elements(data["shape"][1:]) != elements(spec["shape"]):
            return "input {!r} has the shape {}, a sample of the data has {}".format(
                spec["name"], spec["shape"], data["shape"][1:]
            )
    return None


def stacked_shape(count: int, shape: list[int]) -> list[int]:
    """Shape of `count` outputs of one inference each: [N, ...], where a leading batch axis of 1 becomes N."""
    return [count, *(shape[1:] if shape[:1] == [1] else shape)]


def array(data: memoryview, shape: list[int], dtype: str) -> Any:
    """A NumPy view of raw bytes; only children may call this, the agent itself has no NumPy."""
    import numpy as np

    return np.frombuffer(data, dtype=dtype).reshape(shape)
