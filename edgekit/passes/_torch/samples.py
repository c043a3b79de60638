"""Samples as a module takes them: checked against its signature, read batch by batch from mapped files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.core.artifact import TensorSpec
from edgekit.core.errors import InputError


def read(paths: Sequence[str], specs: Sequence[TensorSpec], *, name: str) -> list[NDArray[Any]]:
    """The .npy files of a dataset, one an input, shape [samples, ...]; mapped, not read.

    Raises:
        InputError: they do not fit the module.
    """
    arrays = [np.load(path, mmap_mode="r", allow_pickle=False) for path in paths]
    check(arrays, specs, name=name)
    return arrays


def check(arrays: Sequence[NDArray[Any]], specs: Sequence[TensorSpec], *, name: str) -> None:
    """Refuse samples that a module cannot take.

    Raises:
        InputError: another number of inputs, or other shapes.
    """
    if len(arrays) != len(specs):
        raise InputError(
            f"{name} takes {len(specs)} inputs, the data has {len(arrays)}",
            hint="give one array an input, in the model's order",
        )
    for array, spec in zip(arrays, specs, strict=True):
        if array.shape[1:] != spec.shape[1:]:
            raise InputError(
                f"the data has samples of shape {array.shape[1:]}, input {spec.name!r} of {name} takes "
                f"{spec.shape[1:]}",
                hint="set resize or layout under [preprocess]",
            )


def tensors(arrays: Sequence[NDArray[Any]], specs: Sequence[TensorSpec], at: Any) -> tuple[Any, ...]:
    """The samples at some positions, one tensor an input, in the dtypes of the signature."""
    import torch

    return tuple(
        torch.from_numpy(np.ascontiguousarray(array[at])).to(getattr(torch, spec.dtype))
        for array, spec in zip(arrays, specs, strict=True)
    )


def batches(
    arrays: Sequence[NDArray[Any]], specs: Sequence[TensorSpec], *, size: int
) -> Iterator[tuple[int, tuple[Any, ...]]]:
    """All samples in their order: the position of a batch's first sample, and one tensor an input."""
    for start in range(0, len(arrays[0]), size):
        yield start, tensors(arrays, specs, slice(start, start + size))
