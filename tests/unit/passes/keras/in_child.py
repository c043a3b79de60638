"""What the tests of loading do in the child process: train, save in every format, predict."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tests.models.digits_models import digits


def save_in_every_format(folder: str) -> None:
    """Train a Keras 3 classifier of digits and write it in both containers of both generations, and as a SavedModel."""
    import keras

    from edgekit.passes._keras.rebuild import rebuild

    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Conv2D(16, 3, use_bias=False),
            keras.layers.BatchNormalization(),
            keras.layers.ReLU(),
            keras.layers.Flatten(),
            keras.layers.Dense(320, activation="relu"),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )
    data = digits()
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(data.inputs[0], data.labels, epochs=3, verbose=0)
    path = Path(folder)
    model.save(path / "model.keras")
    model.save(path / "model.h5")
    model.export(str(path / "saved_model"), verbose=False)
    rebuilt = rebuild(model, [data.inputs[0]])
    rebuilt.save(path / "tf_model.keras")
    rebuilt.save(path / "tf_model.h5")


def predictions(source: str, source_format: str, samples: str) -> list[Any]:
    """What a model answers in its own library."""
    from edgekit.passes._keras.loading import load_native

    answers: list[Any] = load_native(source, source_format).predict(np.load(samples), verbose=0).tolist()
    return answers


def without_biases(source: str, output: str) -> None:
    """A Keras 2 model whose dense layers before a batch normalization have lost their biases."""
    from edgekit.passes._keras.loading import load_native, save_tf_keras

    model = load_native(source, "tf_keras")
    for layer, following in zip(model.layers, model.layers[1:], strict=False):
        if type(layer).__name__ == "Dense" and type(following).__name__ == "BatchNormalization":
            kernel, bias = layer.get_weights()
            layer.set_weights([kernel, np.zeros_like(bias)])
    save_tf_keras(model, output)


def save_unknown_layer(path: str) -> None:
    """A Keras 2 file with a layer of the user's own, which such a file names without its module."""
    import tf_keras

    class Doubled(tf_keras.layers.Layer):
        def call(self, x: Any) -> Any:
            return 2 * x

    tf_keras.Sequential([tf_keras.Input((3,)), Doubled(name="mine")]).save(path)


def layer_names(source: str, source_format: str, samples: str) -> list[str]:
    """Names of the layers that tf_keras has after loading, and of one that is added then."""
    import tf_keras

    from edgekit.passes._keras.loading import load_tf_keras

    model = load_tf_keras(source, source_format, [np.load(samples)])
    return [*(layer.name for layer in model.layers), tf_keras.layers.Conv2D(1, 1).name]
