"""A student made from its teacher: the same layers with fewer filters and units."""

from __future__ import annotations

import copy
from typing import Any

from edgekit.core.errors import UnsupportedError

_WIDTHS = ("filters", "units")


def narrowed(teacher: Any, width: float) -> Any:
    """A tf_keras model of the teacher's layers with their widths multiplied, new weights in it.

    Args:
        teacher: a Sequential or functional tf_keras model.
        width: factor of `filters` and `units`, rounded, at least 1; layers whose result is the model's output keep
            theirs.

    Raises:
        UnsupportedError: the narrower layers do not fit together, e.g. behind a Reshape with fixed sizes.
    """
    config = copy.deepcopy(teacher.get_config())
    kept = _makers_of_outputs(teacher)
    for layer in config["layers"]:
        own = layer["config"]
        if own.get("name") in kept:
            continue
        for key in _WIDTHS:
            if isinstance(own.get(key), int):
                own[key] = max(1, round(own[key] * width))
    try:
        return teacher.__class__.from_config(config)
    except (ValueError, TypeError) as cause:
        first = str(cause).strip().partition("\n")[0]
        raise UnsupportedError(
            f"no student of width {width:g} can be made from the teacher: {first}",
            hint='give a student of your own: params = { student = "student.keras" }',
        ) from cause


def _makers_of_outputs(model: Any) -> set[str]:
    """Names of the layers that settle the sizes of the outputs: the nearest ones with a width of their own."""
    found: set[str] = set()
    waiting = [tensor._keras_history.layer for tensor in model.outputs]  # noqa: SLF001 -- no public way
    while waiting:
        layer = waiting.pop()
        if any(isinstance(layer.get_config().get(key), int) for key in _WIDTHS):
            found.add(layer.name)
            continue
        for node in layer.inbound_nodes:
            waiting += [each for each in _layers(node.inbound_layers) if each is not layer]
    return found


def _layers(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value]
