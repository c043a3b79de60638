"""One Keras 3 layer as tf_keras has it: the same class with the configuration that this class knows."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from edgekit.core.errors import UnsupportedError
from edgekit.passes._keras.translate_activations import activation

WAY_OUT = "training passes need a rebuild in tf_keras; post-training quantization does without: --recipe int8"

_OF_TRAINING_ONLY = {"seed", "synchronized", "use_cudnn", "flash_attention", "quantization_config", "lora_rank"}
"""Settings that change neither the weights nor the answers of a trained model."""

_RENAMED = {"LeakyReLU": {"negative_slope": "alpha"}}
_UNDECLARED = {"rms_scaling": False}
"""Settings with their defaults that Keras 3 does not declare."""

Build = Callable[[Any], Any]


def refusal(layer: Any, why: str) -> UnsupportedError:
    """The error for a layer that cannot be rebuilt."""
    return UnsupportedError(f"layer {layer.name!r} ({type(layer).__name__}) {why}", hint=WAY_OUT)


def translate(layer: Any, inner: Build) -> Any:
    """A new tf_keras layer with the settings of a Keras 3 one, without its weights.

    Args:
        layer: of Keras 3, no model.
        inner: makes the layer or model that a wrapper holds.

    Raises:
        UnsupportedError: tf_keras has no such layer, or not this setting of it.
    """
    name = type(layer).__name__
    if not type(layer).__module__.startswith("keras."):
        raise refusal(layer, f"is a class of {type(layer).__module__!r}, which tf_keras cannot rebuild")
    build = _SPECIAL.get(name)
    try:
        return _same_class(layer) if build is None else build(layer, inner)
    except (TypeError, ValueError) as cause:
        raise refusal(layer, f"cannot be rebuilt in tf_keras: {first_line(cause)}") from cause


def _same_class(layer: Any, /, **given: Any) -> Any:
    """The class of the same name in tf_keras, with the layer's configuration; `given` replaces parts of it."""
    import tf_keras

    cls = getattr(tf_keras.layers, type(layer).__name__, None)
    if cls is None:
        raise refusal(layer, "has no counterpart in tf_keras")
    return cls(**_settings(layer, cls, given))


def _settings(layer: Any, cls: type, given: Mapping[str, Any]) -> dict[str, Any]:
    import tf_keras

    known = _parameters(cls) | ({"zero_output_for_mask"} if issubclass(cls, tf_keras.layers.RNN) else set())
    defaults = _UNDECLARED | _defaults(type(layer))
    renamed = _RENAMED.get(type(layer).__name__, {})
    settings = dict(given)
    for key, value in layer.get_config().items():
        if key in given or key.endswith("_initializer") or key in _OF_TRAINING_ONLY:
            continue
        new = renamed.get(key, key)
        if new in known:
            settings[new] = _value(layer, key, value)
        elif key in defaults and _plain(value) == _plain(defaults[key]):
            continue
        elif not (key == "data_format" and value == "channels_last"):
            raise refusal(layer, f"has {key}={value!r}, which tf_keras does not know")
    return settings


def _value(layer: Any, key: str, value: Any) -> Any:
    import tf_keras

    if key == "dtype":
        return _policy(layer, value)
    if key.endswith("_regularizer"):
        return _from_module(layer, key, value, tf_keras.regularizers)
    if key.endswith("_constraint"):
        return _from_module(layer, key, value, tf_keras.constraints)
    if key.endswith("activation"):
        return _activation(layer, value)
    return _plain(value)


def _policy(layer: Any, value: Any) -> str:
    """The name of a dtype policy that tf_keras has too."""
    config = value["config"] if isinstance(value, Mapping) else {"name": value}
    name = config.get("name") or config.get("mode", "")
    if isinstance(value, Mapping) and value["class_name"] != "DTypePolicy":
        raise refusal(layer, f"has the dtype policy {value['class_name']} {name!r}, which tf_keras does not know")
    return str(name)


def _from_module(layer: Any, key: str, value: Any, module: Any) -> Any:
    """A regularizer or constraint of the same class and settings."""
    if value is None:
        return None
    cls = getattr(module, value["class_name"], None) if isinstance(value, Mapping) else None
    if cls is None:
        raise refusal(layer, f"has {key}={value!r}, which tf_keras does not know")
    return cls(**_plain(value["config"]))


def _activation(layer: Any, value: Any) -> Any:
    import keras
    import tf_keras

    if value is None:
        return tf_keras.activations.linear
    found = activation(value) if isinstance(value, str) else None
    if found is None and isinstance(layer.activation, keras.layers.Layer) and isinstance(value, Mapping):
        found = _same_class(layer.activation)
    if found is None:
        name = value.get("registered_name") or value.get("class_name") if isinstance(value, Mapping) else value
        raise refusal(layer, f"has the activation {name!r}, which tf_keras does not know")
    return found


def _plain(value: Any) -> Any:
    """Keras' tracked lists and tuples as plain lists, so that tf_keras and comparisons take them."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def _parameters(cls: type) -> set[str]:
    """Names that the constructors of a tf_keras class and of its bases take."""
    known = {"name", "trainable", "dtype", "activity_regularizer"}
    for base in cls.__mro__[:-1]:
        if base.__name__ == "Layer":
            break
        parameters = inspect.signature(base).parameters.values()
        known |= {each.name for each in parameters if each.kind in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY)}
        if not any(each.kind == each.VAR_KEYWORD for each in parameters):
            break
    return known - {"self"}


def _defaults(cls: type) -> dict[str, Any]:
    """What a Keras 3 class and its bases take where nothing is said."""
    found: dict[str, Any] = {}
    for base in reversed(cls.__mro__[:-1]):
        parameters = inspect.signature(base).parameters.values()
        found |= {each.name: each.default for each in parameters if each.default is not each.empty}
    return found


def first_line(error: Exception) -> str:
    """What a foreign error says, cut to one line."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    told = [line for line in lines if not line.startswith("Exception encountered when calling")]
    return (told or [type(error).__name__])[0].strip()[:200]


def _activation_layer(layer: Any, _inner: Build) -> Any:
    """As a layer of its own where tensorflow-model-optimization knows only that."""
    import tf_keras

    if layer.get_config()["activation"] == "relu6":
        return tf_keras.layers.ReLU(6.0, name=layer.name, dtype=_policy(layer, layer.get_config()["dtype"]))
    return _same_class(layer)


def _normalization(layer: Any, _inner: Build) -> Any:
    """What was adapted becomes a setting; Keras 3 keeps it in weights that tf_keras would count differently."""
    axes = layer.axis if isinstance(layer.axis, (list, tuple)) else () if layer.axis is None else (layer.axis,)
    moments = [np.asarray(moment) for moment in (layer.mean, layer.variance)]
    mean, variance = (moment.reshape([moment.shape[axis] for axis in axes]).tolist() for moment in moments)
    return _same_class(layer, mean=mean, variance=variance)


def _bidirectional(layer: Any, inner: Build) -> Any:
    return _same_class(layer, layer=inner(layer.forward_layer), backward_layer=inner(layer.backward_layer))


def _time_distributed(layer: Any, inner: Build) -> Any:
    return _same_class(layer, layer=inner(layer.layer))


def _rnn(layer: Any, inner: Build) -> Any:
    return _same_class(layer, cell=inner(layer.cell))


def _stacked_cells(layer: Any, inner: Build) -> Any:
    return _same_class(layer, cells=[inner(cell) for cell in layer.cells])


_SPECIAL: dict[str, Callable[[Any, Build], Any]] = {
    "Activation": _activation_layer,
    "Bidirectional": _bidirectional,
    "Normalization": _normalization,
    "RNN": _rnn,
    "StackedRNNCells": _stacked_cells,
    "TimeDistributed": _time_distributed,
}
