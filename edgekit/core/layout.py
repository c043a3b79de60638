"""Samples in the axis order that a model takes: a conversion may have turned channels first into channels last."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgekit.core.artifact import TensorSpec
    from edgekit.core.dataset import Dataset

_IMAGE_AXES = 4
_TO_LAST, _TO_FIRST = (0, 2, 3, 1), (0, 3, 1, 2)


def laid_out(array: NDArray[Any], spec: TensorSpec) -> NDArray[Any]:
    """An array of samples as one input of a model takes it.

    Args:
        array: shape [samples, ...].
        spec: the input; its first axis is the batch.

    Returns:
        A view with channels last instead of first, or the other way round, where only that fits; else the array.
    """
    if array.ndim != _IMAGE_AXES or len(spec.shape) != _IMAGE_AXES or _fits(array, spec):
        return array
    turned = (np.transpose(array, axes) for axes in (_TO_LAST, _TO_FIRST))
    return next((view for view in turned if _fits(view, spec)), array)


def dataset_for(dataset: Dataset, specs: Sequence[TensorSpec]) -> Dataset:
    """A data set whose arrays are laid out for a model; the same one where they are already."""
    if len(specs) != len(dataset.inputs):
        return dataset
    inputs = tuple(laid_out(array, spec) for array, spec in zip(dataset.inputs, specs, strict=True))
    unchanged = all(new is old for new, old in zip(inputs, dataset.inputs, strict=True))
    return dataset if unchanged else replace(dataset, inputs=inputs)


def _fits(array: NDArray[Any], spec: TensorSpec) -> bool:
    return all(want in (-1, have) for have, want in zip(array.shape[1:], spec.shape[1:], strict=True))
