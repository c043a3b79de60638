"""A rebuilt model held against its original on real samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.core.errors import InputError, UnsupportedError
from edgekit.passes._keras.translate import WAY_OUT

TOLERANCE = 1e-4
"""Largest difference of an output, relative to max(1, |output|)."""

_SAMPLES = 16


@dataclass(frozen=True, kw_only=True)
class Call:
    """One call of a layer in a functional model: its symbolic outputs in Keras 3 and in tf_keras, as flat lists."""

    operation: Any
    old: list[Any]
    new: list[Any]


def check(old: Any, new: Any, samples: list[Any], calls: list[Call]) -> None:
    """Refuse a rebuilt model that answers otherwise than its original.

    Args:
        old: the Keras 3 model.
        new: the tf_keras model.
        samples: real inputs, one array a model input, shape [samples, ...]; the first ones are taken.
        calls: of the layers of a functional model, in order.

    Raises:
        UnsupportedError: an output differs by more than `TOLERANCE`; the first layer that does is named.
        InputError: the samples do not fit the model.
    """
    inputs = _batch(old, samples)
    worst = difference(_answers(old, inputs), _answers(new, inputs))
    if worst <= TOLERANCE:
        return
    place = _first_difference(old, new, inputs, calls)
    raise UnsupportedError(
        f"{old.name!r} rebuilt in tf_keras answers otherwise: outputs differ by {worst:.2g}"
        + (f", first after layer {place}" if place else ""),
        hint=WAY_OUT,
    )


def difference(wanted: list[NDArray[Any]], given: list[NDArray[Any]]) -> float:
    """Largest |given - wanted| / max(1, |wanted|) over all outputs; infinite where shapes differ or a NaN is alone."""
    worst = 0.0
    for one, other in zip(wanted, given, strict=True):
        if one.shape != other.shape:
            return float("inf")
        a, b = one.astype(np.float64), other.astype(np.float64)
        with np.errstate(invalid="ignore"):
            gap = np.where((a == b) | (np.isnan(a) & np.isnan(b)), 0.0, np.abs(a - b) / np.maximum(1.0, np.abs(a)))
        worst = max(worst, float(np.nan_to_num(gap, nan=np.inf).max(initial=0.0)))
    return worst


def _batch(model: Any, samples: list[Any]) -> list[NDArray[Any]]:
    """As many samples as the model takes in one batch."""
    given = [tuple(np.shape(array)[1:]) for array in samples]
    wanted = [tuple(tensor.shape[1:]) for tensor in model.inputs]
    fits = len(given) == len(wanted) and all(
        len(one) == len(other) and all(size in (None, real) for size, real in zip(one, other, strict=True))
        for one, other in zip(wanted, given, strict=True)
    )
    if fits and not len(samples[0]):
        raise InputError(f"there are no samples to hold {model.name!r} against", hint="give some with --train-data")
    if not fits:
        raise InputError(
            f"the samples have the shapes {given}, {model.name!r} takes {wanted}",
            hint="set resize or layout under [preprocess]",
        )
    count = model.inputs[0].shape[0] or _SAMPLES
    return [
        np.resize(array[:count], (count if tensor.shape[0] else min(count, len(array)), *np.shape(array)[1:])).astype(
            tensor.dtype
        )
        for array, tensor in zip(samples, model.inputs, strict=True)
    ]


def _answers(model: Any, inputs: list[NDArray[Any]]) -> list[NDArray[Any]]:
    import tensorflow as tf

    results = model(
        [tf.constant(each) for each in inputs] if len(inputs) > 1 else tf.constant(inputs[0]), training=False
    )
    return [np.asarray(each) for each in tf.nest.flatten(results)]


def _first_difference(old: Any, new: Any, inputs: list[NDArray[Any]], calls: list[Call]) -> str | None:
    """Name and class of the first layer whose output differs."""
    import keras
    import tf_keras

    if isinstance(old, keras.Sequential):
        wanted = given = inputs[0]
        for one, other in zip(old.layers, new.layers, strict=True):
            wanted, given = one(wanted), other(given)
            if difference([np.asarray(wanted)], [np.asarray(given)]) > TOLERANCE:
                return _spoken(one)
    for call in calls:
        outputs = _answers(keras.Model(old.inputs, call.old), inputs)
        if difference(outputs, _answers(tf_keras.Model(new.inputs, call.new), inputs)) > TOLERANCE:
            return _spoken(call.operation)
    return None


def _spoken(layer: Any) -> str:
    return f"{layer.name!r} ({type(layer).__name__})"
