"""Weights of a Keras 3 layer put into its tf_keras counterpart, sub-layer by sub-layer."""

from __future__ import annotations

from typing import Any

from edgekit.passes._keras.translate import refusal

_RENAMED = {name: {"kernel": "depthwise_kernel"} for name in ("DepthwiseConv1D", "DepthwiseConv2D")}


def copy_weights(old: Any, new: Any) -> None:
    """Copy all weights of a layer; models inside are done already, wrappers are followed into.

    Raises:
        UnsupportedError: tf_keras keeps other weights for this layer.
    """
    import keras

    if isinstance(old, keras.Model):
        return  # its layers were copied when it was rebuilt
    names = ["forward_layer", "backward_layer"] if hasattr(old, "forward_layer") else ["layer", "cell"]
    pairs = [(getattr(old, name), getattr(new, name)) for name in names if _is_layer(old, name)]
    pairs += zip(getattr(old, "cells", ()), getattr(new, "cells", ()), strict=True)
    for one, other in pairs:
        copy_weights(one, other)
    if not pairs:
        _copy_own(old, new)


def _is_layer(owner: Any, name: str) -> bool:
    import keras

    return isinstance(getattr(owner, name, None), keras.layers.Layer)


def _copy_own(old: Any, new: Any) -> None:
    if type(old).__name__ == "Normalization":
        return  # its mean and variance are settings in tf_keras
    values = old.get_weights()
    wanted = [(_last(weight.name), tuple(weight.shape)) for weight in new.weights]
    renamed = _RENAMED.get(type(old).__name__, {})
    names = [_last(weight.path) for weight in old.weights]
    given = [(renamed.get(name, name), tuple(weight.shape)) for name, weight in zip(names, old.weights, strict=True)]
    if wanted != given:
        if sorted(wanted) != sorted(given) or len(set(given)) != len(given):
            raise refusal(old, f"has the weights {_spoken(given)}, in tf_keras {_spoken(wanted)}")
        values = [values[given.index(each)] for each in wanted]
    new.set_weights(values)


def _last(path: str) -> str:
    """The weight's own name: "dense/kernel:0" gives "kernel"."""
    return path.rpartition("/")[2].partition(":")[0]


def _spoken(weights: list[tuple[str, tuple[int, ...]]]) -> str:
    return ", ".join(f"{name} {list(shape)}" for name, shape in weights) or "none"
