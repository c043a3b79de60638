"""Random slices, transposes, joins, splits and gathers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from tests.models.mcu_models import Drawn, Op, Spec, build, constant, one, options

Rng = np.random.Generator


def _shape(rng: Rng) -> list[int]:
    return [int(rng.integers(1, 7)) for _ in range(rng.integers(1, 5))]


def _tensor(shape: Sequence[int], dtype: str, data: Any = None) -> Spec:
    if dtype == "float32":
        return Spec(shape=tuple(shape), dtype=dtype, data=data)
    return Spec(shape=tuple(shape), dtype=dtype, data=data, scales=(0.1,), zero_points=(0,))


def _dtype(rng: Rng, *more: str) -> str:
    return str(rng.choice(["int8", "int8", "int16", *more]))


def _numbers(values: Any) -> Spec:
    return constant(np.asarray(values), dtype="int32")


def _scalar(value: int) -> Spec:
    return Spec(shape=(), dtype="int32", data=np.array(value, np.int32))


def _slice(rng: Rng) -> bytes:
    shape, dtype = _shape(rng), _dtype(rng, "int32")
    starts = [int(rng.integers(0, size)) for size in shape]
    sizes = [int(rng.integers(1, size - start + 1)) for size, start in zip(shape, starts, strict=True)]
    asked = [
        -1 if start + size == whole and rng.random() < 0.3 else size
        for start, size, whole in zip(starts, sizes, shape, strict=True)
    ]
    inputs = [_tensor(shape, dtype), _numbers(starts), _numbers(asked)]
    return one("SLICE", inputs, _tensor(sizes, dtype), options("SliceOptions"))


def _strided_slice(rng: Rng) -> bytes:
    while True:
        shape, dtype = _shape(rng), _dtype(rng, "int32", "float32")
        strides = [int(rng.choice([1, 1, 2, 3, -1, -2])) for _ in shape]
        begins = [int(rng.integers(-size, size)) for size in shape]
        ends = [int(rng.integers(-size - 1, size + 2)) for size in shape]
        begin_mask, end_mask, shrink_mask = (
            int(rng.integers(0, 2 ** len(shape))) * int(rng.integers(0, 2)) for _ in "bes"
        )
        if any(shrink_mask >> axis & 1 and stride < 0 for axis, stride in enumerate(strides)):
            continue
        index = tuple(
            begins[axis]
            if shrink_mask >> axis & 1
            else slice(
                None if begin_mask >> axis & 1 else begins[axis], None if end_mask >> axis & 1 else ends[axis], stride
            )
            for axis, stride in enumerate(strides)
        )
        made = np.asarray(np.zeros(shape)[index])
        if made.size and made.ndim:
            break
    table = options("StridedSliceOptions", beginMask=begin_mask, endMask=end_mask, shrinkAxisMask=shrink_mask)
    inputs = [_tensor(shape, dtype), _numbers(begins), _numbers(ends), _numbers(strides)]
    return one("STRIDED_SLICE", inputs, _tensor(made.shape, dtype), table)


def _split(rng: Rng, *, even: bool) -> bytes:
    shape, dtype, count = _shape(rng), _dtype(rng, "int32"), int(rng.integers(1, 4))
    axis = int(rng.integers(0, len(shape)))
    parts = [shape[axis]] * count if even else [int(rng.integers(1, 5)) for _ in range(count)]
    x = _tensor([*shape[:axis], sum(parts), *shape[axis + 1 :]], dtype)
    outputs = [_tensor([*shape[:axis], part, *shape[axis + 1 :]], dtype) for part in parts]
    if even:
        return build([Op(name="SPLIT", inputs=[_scalar(axis), x], outputs=outputs, options=_counted("Split", count))])
    inputs = [x, _numbers(parts), _scalar(axis)]
    return build([Op(name="SPLIT_V", inputs=inputs, outputs=outputs, options=_counted("SplitV", count))])


def _counted(name: str, count: int) -> Any:
    return options(f"{name}Options", numSplits=count)


def _unpack(rng: Rng) -> bytes:
    shape, dtype = _shape(rng), _dtype(rng, "int32", "float32")
    axis = int(rng.integers(0, len(shape)))
    outputs = [_tensor(shape[:axis] + shape[axis + 1 :], dtype) for _ in range(shape[axis])]
    table = options("UnpackOptions", num=shape[axis], axis=axis)
    return build([Op(name="UNPACK", inputs=[_tensor(shape, dtype)], outputs=outputs, options=table)])


def _pack(rng: Rng) -> bytes:
    shape, dtype, count = _shape(rng), _dtype(rng, "int32", "float32"), int(rng.integers(1, 4))
    axis = int(rng.integers(0, len(shape) + 1))
    table = options("PackOptions", valuesCount=count, axis=axis)
    made = _tensor([*shape[:axis], count, *shape[axis:]], dtype)
    return one("PACK", [_tensor(shape, dtype) for _ in range(count)], made, table)


def _concatenation(rng: Rng) -> bytes:
    shape, dtype = _shape(rng), _dtype(rng, "int32", "float32")
    axis = int(rng.integers(0, len(shape)))
    inputs = []
    for place in range(rng.integers(1, 4)):
        part = [*shape[:axis], int(rng.integers(1, 7)), *shape[axis + 1 :]]
        data = rng.integers(-100, 100, part).astype(dtype) if place and rng.random() < 0.3 else None
        inputs.append(_tensor(part, dtype, data))
    whole = [*shape[:axis], sum(part.shape[axis] for part in inputs), *shape[axis + 1 :]]
    table = options("ConcatenationOptions", axis=axis - len(shape) * int(rng.integers(0, 2)))
    return one("CONCATENATION", inputs, _tensor(whole, dtype), table)


def _transpose(rng: Rng) -> bytes:
    shape, dtype = _shape(rng), _dtype(rng, "float32")
    order = [int(axis) for axis in rng.permutation(len(shape))]
    made = _tensor([shape[axis] for axis in order], dtype)
    return one("TRANSPOSE", [_tensor(shape, dtype), _numbers(order)], made, options("TransposeOptions"))


def _gather(rng: Rng) -> Drawn:
    shape, dtype = _shape(rng), str(rng.choice(["int8", "float32"]))
    axis = int(rng.integers(0, len(shape)))
    shared = int(rng.integers(0, axis + 1)) * int(rng.integers(0, 2))
    asked = [*shape[:shared], *(int(rng.integers(1, 4)) for _ in range(rng.integers(0, 3)))]
    places = rng.integers(0, shape[axis], asked).astype(np.int32)
    is_constant = bool(rng.random() < 0.5)
    x = _tensor(shape, dtype)
    y = _tensor([*shape[:axis], *asked[shared:], *shape[axis + 1 :]], dtype)
    named = Spec(shape=tuple(asked), dtype="int32", data=places if is_constant else None)
    table = options("GatherOptions", axis=axis, batchDims=shared)
    values = rng.integers(-128, 128, shape).astype(dtype)
    return Drawn(model=one("GATHER", [x, named], y, table), calls=((values,) if is_constant else (values, places),))


GENERATORS: dict[str, Callable[[Rng], Drawn | bytes]] = {
    "slice": _slice,
    "strided_slice": _strided_slice,
    "split": partial(_split, even=True),
    "split_v": partial(_split, even=False),
    "unpack": _unpack,
    "pack": _pack,
    "concatenation": _concatenation,
    "transpose": _transpose,
    "gather": _gather,
}
