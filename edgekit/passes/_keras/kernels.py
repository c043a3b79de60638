"""The weight tensors of a tf_keras model that compression works on, layer by layer, nested models included."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edgekit.core.errors import ConfigurationError
from edgekit.core.suggest import did_you_mean

_ATTRIBUTES = ("depthwise_kernel", "pointwise_kernel", "kernel", "recurrent_kernel", "embeddings")
_SHOWN = 8
WRAPPED = {
    "Conv1D": "kernel",
    "Conv2D": "kernel",
    "Conv2DTranspose": "kernel",
    "Conv3D": "kernel",
    "Dense": "kernel",
    "SeparableConv1D": "pointwise_kernel",
    "SeparableConv2D": "pointwise_kernel",
}
"""Layer -> the tensor that tfmot's wrappers prune and cluster.

The one for pruning knows a few more layers, but loses the masks that they pass on.
"""


@dataclass(frozen=True, kw_only=True)
class Kernel:
    """One weight tensor.

    Attributes:
        attribute: its name in its layer, e.g. "kernel"; for what is inside of a layer, such as the cell of an LSTM, the
            inner layer's own.
        variable: the tf.Variable.
        owner: class of the layer that holds it, e.g. "LSTMCell".
    """

    attribute: str
    variable: Any
    owner: str


@dataclass(frozen=True, kw_only=True)
class Weighted:
    """A layer with weight tensors.

    Attributes:
        path: its name; in a nested model with that model's name before it, e.g. "backbone/conv1".
        layer: the layer.
        kernels: its weight tensors; biases and normalization do not count.
    """

    path: str
    layer: Any
    kernels: tuple[Kernel, ...]

    @property
    def kind(self) -> str:
        """Name of the layer's class."""
        return type(self.layer).__name__

    def name_of(self, kernel: Kernel) -> str:
        """A tensor as notes name it: the layer, and the tensor where it is not the only one."""
        return self.path if len(self.kernels) == 1 else f"{self.path}/{kernel.attribute}"


def weighted_layers(model: Any, prefix: str = "") -> Iterator[Weighted]:
    """All layers with weight tensors, in the model's order."""
    import tf_keras

    for layer in model.layers:
        path = f"{prefix}{layer.name}"
        if isinstance(layer, tf_keras.Model):
            yield from weighted_layers(layer, f"{path}/")
        elif found := tuple(_kernels(layer)):
            yield Weighted(path=path, layer=layer, kernels=found)


def passes_masks(model: Any) -> bool:
    """Whether layers tell the next ones which steps of a sequence are padding; tfmot's wrappers lose that."""
    layers = list(model._flatten_layers())  # noqa: SLF001
    return any(type(layer).__name__ == "Masking" or getattr(layer, "mask_zero", False) for layer in layers)


def _kernels(layer: Any) -> Iterator[Kernel]:
    seen: set[Any] = set()
    for inner in layer._flatten_layers():  # noqa: SLF001 -- cells and wrapped layers are public in each class otherwise
        for attribute in _ATTRIBUTES:
            variable: Any = getattr(inner, attribute, None)
            if hasattr(variable, "assign") and variable.ref() not in seen:
                seen.add(variable.ref())
                yield Kernel(attribute=attribute, variable=variable, owner=type(inner).__name__)


def chosen(layer: Weighted, patterns: Iterable[str]) -> str | None:
    """The first of these regular expressions that matches the layer's whole name, or its whole path."""
    names = (layer.layer.name, layer.path)
    return next((each for each in patterns if any(re.fullmatch(each, name) for name in names)), None)


def check_choice(layers: Sequence[Weighted], parameter: str, patterns: Iterable[str]) -> None:
    """Refuse a pattern that chooses nothing.

    Raises:
        ConfigurationError: it matches no layer with weights.
    """
    for pattern in patterns:
        if not any(chosen(layer, (pattern,)) for layer in layers):
            raise ConfigurationError(
                f"{parameter}: {pattern!r} matches no layer with weights",
                hint=did_you_mean(pattern, [layer.path for layer in layers])
                or f"there are: {listed([layer.path for layer in layers])}",
            )


def listed(names: Sequence[str]) -> str:
    """Names in one line, the first ones of many."""
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def rewrapped(model: Any, wrap: Mapping[str, Any], prefix: str = "") -> Any:
    """The model with some layers in wrappers; all layers keep their weights.

    Args:
        model: a Functional or Sequential model.
        wrap: path of a layer -> function from the layer to its wrapper.
        prefix: path of the model.
    """
    import tf_keras

    def clone(layer: Any) -> Any:
        path = f"{prefix}{layer.name}"
        if isinstance(layer, tf_keras.Model):
            return rewrapped(layer, wrap, f"{path}/")
        return wrap[path](layer) if path in wrap else layer

    return tf_keras.models.clone_model(model, clone_function=clone)
