"""Keras 3 models that cannot be rebuilt in tf_keras, and rebuilds that go wrong, for the tests' child process."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.unit.passes.keras.zoo import make


def _sequential(*layers: Any) -> Any:
    import keras

    return keras.Sequential([keras.Input((6, 6, 2)), *layers])


def only_in_keras_3() -> Any:
    import keras

    return _sequential(keras.layers.RMSNormalization(name="norm"))


def setting_only_in_keras_3() -> Any:
    import keras

    return _sequential(keras.layers.LayerNormalization(rms_scaling=True, name="norm"))


def activation_only_in_keras_3() -> Any:
    import keras

    return _sequential(keras.layers.Dense(2, activation="sparsemax", name="scores"))


def custom_layer() -> Any:
    import keras

    class Doubled(keras.layers.Layer):
        def call(self, x: Any) -> Any:
            return 2 * x

    return _sequential(Doubled(name="mine"))


def operation() -> Any:
    import keras

    x = inputs = keras.Input((6, 6, 2))
    x = keras.layers.Dense(3)(keras.ops.cumsum(x, axis=1))
    return keras.Model(inputs, x)


def two_ranks() -> Any:
    import keras

    x = inputs = keras.Input((6, 6, 2))
    return keras.Model(inputs, x + keras.layers.GlobalAveragePooling2D()(x))


def subclassed() -> Any:
    import keras

    class Mine(keras.Model):
        def __init__(self) -> None:
            super().__init__(name="mine")
            self.dense = keras.layers.Dense(2)

        def call(self, x: Any) -> Any:
            return self.dense(x)

    model = Mine()
    model(np.zeros((1, 6, 6, 2), np.float32))
    return model


def without_input() -> Any:
    import keras

    return keras.Sequential([keras.layers.Dense(2)], name="open")


def quantized_weights() -> Any:
    import keras

    model = _sequential(keras.layers.Dense(2, name="small"))
    model.quantize("int8")
    return model


MODELS: dict[str, tuple[Callable[[], Any], tuple[str, ...]]] = {
    "only_in_keras_3": (only_in_keras_3, ("'norm'", "RMSNormalization")),
    "setting_only_in_keras_3": (setting_only_in_keras_3, ("'norm'", "LayerNormalization", "rms_scaling")),
    "activation_only_in_keras_3": (activation_only_in_keras_3, ("'scores'", "Dense", "'sparsemax'")),
    "custom_layer": (custom_layer, ("'mine'", "Doubled")),
    "operation": (operation, ("'cumsum'", "keras.ops")),
    "two_ranks": (two_ranks, ("'add'", "Add")),
    "subclassed": (subclassed, ("'mine'", "Mine")),
    "without_input": (without_input, ("'open'", "input")),
    "quantized_weights": (quantized_weights, ("'small'", "Dense", "QuantizedDTypePolicy")),
}


def rebuild_refused(name: str) -> None:
    """Rebuild one of `MODELS`."""
    import keras

    from edgekit.passes._keras.rebuild import rebuild

    keras.backend.clear_session()
    rebuild(MODELS[name][0](), [np.random.default_rng(0).random((4, 6, 6, 2), np.float32)])


def rebuild_badly(name: str, layer: str) -> None:
    """Rebuild a model of the zoo with one layer's weights moved a little."""
    from unittest import mock

    from edgekit.passes._keras import rebuild as module

    def copy_badly(old: Any, new: Any) -> None:
        module_copy(old, new)
        if old.name == layer:
            new.set_weights([each + 0.01 for each in new.get_weights()])

    module_copy = module.copy_weights
    with mock.patch.object(module, "copy_weights", copy_badly):
        module.rebuild(*make(name))


def rebuild_with(shapes: list[list[int]]) -> None:
    """Rebuild a model that takes 8 x 8 x 1 with samples of these shapes."""
    from edgekit.passes._keras.rebuild import rebuild

    model, _ = make("sequential")
    rebuild(model, [np.zeros(shape, np.float32) for shape in shapes])


def trainable() -> dict[str, bool]:
    """Whether the layers of a rebuilt model learn, whose convolution was frozen."""
    from edgekit.passes._keras.rebuild import rebuild

    model, samples = make("nested_with_two_inputs")
    model.get_layer("pair").trainable = False
    rebuilt = rebuild(model, samples)
    return {name: bool(rebuilt.get_layer(name).trainable) for name in ("pair", "dense_1")}
