"""Trained networks that plain int8 breaks: a spoilt activation range, and inputs that nobody scaled.

Run as a script with a folder: writes spoilt.keras with images_train.npz and images_test.npz, and unscaled.keras with
features_train.npz and features_test.npz, all of scikit-learn's digits: 1,257 to train, 540 to evaluate. With a trained
LeNet-5 behind the folder: writes that one, spoilt, as lenet5.keras. Tests and `scripts/bench spoilt` share them.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

TRAINING_SAMPLES = 1257
LOUD = 4000.0
"""How much louder one channel is than the others: they share the steps of one int8 scale."""


def build_once(base: Path) -> Path:
    """The folder with the models of digits and their data, below another one."""
    folder = base / "spoilt-models"
    if not (folder / "done").exists():
        _run(folder)
    return folder


def spoilt_lenet5(trained: Path, base: Path) -> Path:
    """A trained LeNet-5 with one loud channel, beside the models of digits."""
    path = base / "spoilt-models" / "lenet5.keras"
    if not path.exists():
        _run(path.parent, trained)
    return path


def _run(*arguments: Path) -> None:
    subprocess.run(
        [sys.executable, __file__, *map(str, arguments)],
        check=True,
        capture_output=True,
        timeout=200,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": "", "TF_CPP_MIN_LOG_LEVEL": "2"},
    )


def _build(folder: Path) -> None:
    import keras
    import numpy as np
    from sklearn.datasets import load_digits

    data = load_digits()
    order = np.random.default_rng(0).permutation(len(data.target))
    images = (data.images[order, ..., None] / 16).astype(np.float32)
    labels = data.target[order].astype(np.int64)

    def write(name: str, x: Any) -> None:
        n = TRAINING_SAMPLES
        for part, some in (("train", slice(None, n)), ("test", slice(n, None))):
            np.savez(folder / f"{name}_{part}.npz", x=x[some], y=labels[some])

    def train(model: keras.Model, x: Any) -> None:
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
    _spoil(spoilt, "loud", "listener")
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


def _spoil(model: Any, loud: str, listener: str) -> None:
    """Blow up a channel of a convolution that ReLU and at most a pool part from the next one.

    The function stays the same: what one layer multiplies the next one divides by.
    """
    kernel, bias = model.get_layer(loud).get_weights()
    reader, offset = model.get_layer(listener).get_weights()
    kernel[..., 0] *= LOUD
    bias[0] *= LOUD
    reader[:, :, 0] /= LOUD
    model.get_layer(loud).set_weights([kernel, bias])
    model.get_layer(listener).set_weights([reader, offset])


def _build_lenet5(folder: Path, trained: Path) -> None:
    import keras

    model = keras.models.load_model(trained, compile=False)
    _spoil(model, "conv1", "conv2")
    model.save(folder / "lenet5.keras")


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    if len(sys.argv) > 2:
        _build_lenet5(target, Path(sys.argv[2]))
    else:
        _build(target)
