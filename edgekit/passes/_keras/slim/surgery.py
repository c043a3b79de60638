"""The cut: a tf_keras model made anew with fewer channels, and the weights of those that are left."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.passes._keras.slim.graph import ChannelGraph
from edgekit.passes._keras.slim.roles import Role

Mask = NDArray[np.bool_]


def cut(model: Any, graph: ChannelGraph, keep: Mask) -> Any:
    """The model without the channels that are not kept; layers keep their names and their order.

    Args:
        model: of tf_keras; it stays as it is.
        graph: its channels.
        keep: shape [graph.count], True for a channel that stays.
    """
    config = model.get_config()
    for entry in config["layers"]:
        role = graph.roles.get(entry["config"]["name"])
        if role is not None:
            entry["config"] |= _sizes(role, entry["config"], keep)
        # The file's own sizes of a layer would be checked against the new ones.
        entry.pop("build_config", None)
    config.pop("build_input_shape", None)
    smaller = type(model).from_config(config)
    for layer in model.layers:
        weights = _sliced(layer, graph.roles[layer.name], keep)
        smaller.get_layer(layer.name).set_weights(weights)
    return smaller


def _sizes(role: Role, config: Mapping[str, Any], keep: Mask) -> dict[str, Any]:
    sizes: dict[str, Any] = {}
    for name, ids in role.sizes.items():
        count = int(keep[ids].sum())
        if name == "target_shape":
            *before, last = config[name]
            sizes[name] = (*before, last if last == -1 else count)
        else:
            sizes[name] = count
    return sizes


def _sliced(layer: Any, role: Role, keep: Mask) -> list[NDArray[Any]]:
    """The layer's weights, in its own order, without the channels that go."""
    axes = {id(getattr(layer, name)): by_axis for name, by_axis in role.slices.items()}
    weights = []
    for variable in layer.weights:
        values = variable.numpy()
        for axis, ids in axes.get(id(variable), {}).items():
            values = np.compress(keep[ids], values, axis=axis)
        weights.append(values)
    return weights
