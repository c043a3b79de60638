"""Whether a data set fits a model, and what to change where it does not."""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from edgekit.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edgekit.core.artifact import TensorSpec
    from edgekit.core.dataset import Dataset

_Shape = tuple[int, ...]


def check_against_model(dataset: Dataset, inputs: Sequence[TensorSpec]) -> Dataset:
    """The data set in the shapes that a model takes.

    Args:
        dataset: samples; a channel axis of length 1 that only they lack is added (28x28 becomes 28x28x1).
        inputs: the model's inputs in order; their first axis is the batch.

    Raises:
        InputError: number, shape or dtype of the inputs differ; the message has both sides.
    """
    if len(dataset.inputs) != len(inputs):
        raise InputError(
            f"{dataset.name} has {len(dataset.inputs)} inputs per sample, and the model takes {len(inputs)}",
            hint="store one array per input, and name them: file.npz#x=first+second,y=labels",
        )
    fitted = tuple(_fit(dataset.name, array, spec) for array, spec in zip(dataset.inputs, inputs, strict=True))
    unchanged = all(new is old for new, old in zip(fitted, dataset.inputs, strict=True))
    return dataset if unchanged else replace(dataset, inputs=fitted)


def check_labels(dataset: Dataset, classes: int) -> None:
    """Refuse labels and class names that do not go with a model's number of classes.

    Raises:
        InputError: a label is out of range, or there are more or fewer names than classes.
    """
    if dataset.class_names and len(dataset.class_names) != classes:
        raise InputError(
            f"{dataset.name} names {len(dataset.class_names)} classes, and the model has {classes}",
            hint="give the labels of this model",
        )
    if dataset.labels is not None and len(dataset.labels) and int(dataset.labels.max()) >= classes:
        at = int(np.argmax(dataset.labels >= classes))
        raise InputError(
            f"label {at} of {dataset.name} is {dataset.labels[at]}, and the model has {classes} classes, from 0 on",
            hint="number the classes from 0, or take the model that was trained on them",
        )


def _fit(name: str, array: NDArray[Any], spec: TensorSpec) -> NDArray[Any]:
    _check_dtype(name, array, spec)
    have, want = array.shape[1:], spec.shape[1:]
    if _matches(have, want):
        return array
    last, first = _matches((*have, 1), want), _matches((1, *have), want)
    if last and (len(have) == 0 or not first):
        return array[..., np.newaxis]
    if first and not last:
        return array[:, np.newaxis]
    raise InputError(
        f"{name} has samples of the shape {_shown(have)}, and the model's input {spec.name!r} takes {_shown(want)}",
        hint=_advice(have, want),
        have=list(have),
        want=list(want),
    )


def _check_dtype(name: str, array: NDArray[Any], spec: TensorSpec) -> None:
    takes_real_values = spec.scale is not None or spec.dtype.startswith("float")
    if array.dtype.name == spec.dtype or (array.dtype.kind == "f" and takes_real_values):
        return
    dtype = "float32" if takes_real_values else spec.dtype
    raise InputError(
        f"{name} has samples of the dtype {array.dtype}, and the model's input {spec.name!r} takes {spec.dtype}",
        hint=f'set dtype = "{dtype}" in [preprocess]',
    )


def _advice(have: _Shape, want: _Shape) -> str:
    if len(have) == len(want) == 3:
        first, second, third = have
        if _matches((third, first, second), want):
            return _turn("NHWC", "NCHW")
        if _matches((second, third, first), want):
            return _turn("NCHW", "NHWC")
        if have[:2] == want[:2] and {third, want[2]} == {1, 3}:
            return f'set color = "{"rgb" if want[2] == 3 else "gray"}" for image files, or store {want[2]} channels'
        if third == want[2]:
            return f"set resize = [{want[0]}, {want[1]}] for image files, or store them in this size"
    if len(want) == 3 and have in (want[:2], want[1:]):
        return f"the samples have no channels: store {want[2] if have == want[:2] else want[0]} of them"
    if -1 not in want and prod(have) == prod(want):
        return "both hold the same number of values: reshape the samples"
    return "give samples of the model's shape"


def _turn(have: str, want: str) -> str:
    return f'the samples are {have}, the model is {want}: set layout = "{want.lower()}" for image files, or transpose'


def _matches(have: _Shape, want: _Shape) -> bool:
    return len(have) == len(want) and all(w in (-1, h) for h, w in zip(have, want, strict=True))


def _shown(shape: _Shape) -> str:
    return "x".join("?" if size == -1 else str(size) for size in shape) or "one number"
