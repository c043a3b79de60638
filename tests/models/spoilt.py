"""Digits networks that plain int8 breaks: one with a spoilt activation range, one whose inputs were never scaled.

Run as a script with a folder: writes spoilt.keras with images.npz, and unscaled.keras with features.npz; both data sets
hold train_x, train_y, test_x and test_y.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

TRAINING_SAMPLES = 1257
_LOUD = 4000.0
"""How much louder one channel is than the others: they share the steps of one int8 scale."""


def build_once(base: Path) -> Path:
    """The folder with the models and their data."""
    folder = base / "spoilt-models"
    if not (folder / "done").exists():
        subprocess.run(
            [sys.executable, __file__, str(folder)],
            check=True,
            capture_output=True,
            timeout=200,
            env={**os.environ, "CUDA_VISIBLE_DEVICES": "", "TF_CPP_MIN_LOG_LEVEL": "2"},
        )
    return folder


def _build(folder: Path) -> None:
    import keras
    import numpy as np
    from sklearn.datasets import load_digits

    data = load_digits()
    order = np.random.default_rng(0).permutation(len(data.target))
    images = (data.images[order, ..., None] / 16).astype(np.float32)
    labels = data.target[order].astype(np.int64)
    folder.mkdir(parents=True)

    def write(name: str, x: np.ndarray) -> None:
        n = TRAINING_SAMPLES
        for part, some in (("train", slice(None, n)), ("test", slice(n, None))):
            np.savez(folder / f"{name}_{part}.npz", x=x[some], y=labels[some])

    def train(model: keras.Model, x: np.ndarray) -> None:
        model.compile(keras.optimizers.Adam(3e-3), "sparse_categorical_crossentropy")
        model.fit(x[:TRAINING_SAMPLES], labels[:TRAINING_SAMPLES], epochs=12, batch_size=64, verbose=0)

    layers = keras.layers
    keras.utils.set_random_seed(0)
    spoilt = keras.Sequential([
        keras.Input((8, 8, 1)),
        layers.Conv2D(8, 3, padding="same", activation="relu", name="loud"),
        layers.Conv2D(8, 1, activation="relu", name="listener"),
        layers.MaxPooling2D(),
        layers.Conv2D(24, 3, padding="same", activation="relu", name="wide"),
        layers.Flatten(),
        layers.Dense(16, activation="relu", name="hidden"),
        layers.Dense(10, activation="softmax", name="scores"),
    ])  # fmt: skip
    train(spoilt, images)
    loud, listener = spoilt.get_layer("loud"), spoilt.get_layer("listener")
    (kernel, bias), (reader, offset) = loud.get_weights(), listener.get_weights()
    kernel[..., 0] *= _LOUD  # the function stays the same: what one layer multiplies the next one divides by
    bias[0] *= _LOUD
    reader[:, :, 0] /= _LOUD
    loud.set_weights([kernel, bias])
    listener.set_weights([reader, offset])
    spoilt.save(folder / "spoilt.keras")
    write("images", images)

    units = np.where(np.arange(64) % 4 == 0, 1e4, 1.0).astype(np.float32)  # every fourth feature in another unit
    features = images.reshape(len(images), 64)
    unscaled = keras.Sequential([
        keras.Input((64,)),
        layers.Dense(16, activation="relu", name="units"),
        layers.Dense(64, activation="relu", name="first"),
        layers.Dense(64, activation="relu", name="second"),
        layers.Dense(10, activation="softmax", name="scores"),
    ])  # fmt: skip
    train(unscaled, features)
    kernel, bias = unscaled.get_layer("units").get_weights()
    unscaled.get_layer("units").set_weights([kernel / units[:, None], bias])
    unscaled.save(folder / "unscaled.keras")
    write("features", features * units)
    (folder / "done").touch()


if __name__ == "__main__":
    _build(Path(sys.argv[1]))
