"""The hand-made nets of `scripts/bench search_nets`, trained once with fixed seeds, and the data of both sides.

Usage: python -m benchmarks._search_nets_models NAME SHARED FOLDER: writes search-NAME.keras and search-NAME-train.npz,
search-NAME-validation.npz and search-NAME-test.npz into FOLDER.

A search trains on the first set and chooses by the second; the reference, which has nothing to choose, is trained on
both. Nobody sees the third before the end.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import keras
import numpy as np
import tensorflow as tf
from keras import layers
from numpy.typing import NDArray

from benchmarks._log_mel import log_mel
from edgekit.spaces import _blocks

SEED = 7
BATCH = 32
Data = tuple[NDArray[np.float32], NDArray[np.int64]]
Sets = tuple[Data, Data, Data]


def digits(shared: Path) -> Sets:
    """Spoken digits (FSDD): recordings 5 to 49 of each speaker and digit, as the file has them, split by their number.

    Every fifth is for the test (540), as in the benchmark of PyTorch; of the others those whose number ends with 1 are
    for the choice (240). The data set's own test, the numbers 0 to 4, is not in the file.
    """
    with np.load(shared / "data" / "fsdd_train.npz") as data:
        x, y = log_mel(data["wav"] / 32768.0).transpose(0, 2, 1), data["label"].astype(np.int64)
        test, validation = data["index"] % 5 == 0, data["index"] % 10 == 1
    train = ~(test | validation)
    x = ((x - x[train].mean()) / x[train].std()).astype(np.float32)[..., np.newaxis]
    return (x[train], y[train]), (x[validation], y[validation]), (x[test], y[test])


def drawings(shared: Path) -> Sets:
    """Quick, Draw! cats and rainbows: 400 to test, those of `scripts/bench quickdraw`, and 240 for the choice."""
    with np.load(shared / "data" / "quickdraw_cat_rainbow.npz") as data:
        order = np.random.default_rng(SEED).permutation(len(data["x"]))
        x = (data["x"][order].reshape(-1, 28, 28, 1) / 255.0).astype(np.float32)
        y = data["y"][order].astype(np.int64)
    return (x[:1360], y[:1360]), (x[1360:1600], y[1360:1600]), (x[1600:], y[1600:])


def ds_cnn() -> Any:
    """A depthwise separable net after Zhang et al. 2017 (DS-CNN, 1711.07128), with 3,450 trained parameters."""
    blocks = [layers.Conv2D(24, (10, 4), strides=2, padding="same"), layers.BatchNormalization(), layers.ReLU()]
    for filters in (24, 32):
        blocks += [layers.DepthwiseConv2D(3, padding="same"), layers.BatchNormalization(), layers.ReLU()]
        blocks += [layers.Conv2D(filters, 1), layers.BatchNormalization(), layers.ReLU()]
    return keras.Sequential([layers.Input((61, 24, 1)), *blocks, layers.GlobalAveragePooling2D(), layers.Dense(10)])


def two_convolutions() -> Any:
    """Two convolutions and two scores: 2,818 parameters."""
    return keras.Sequential(
        [
            layers.Input((28, 28, 1)),
            layers.Conv2D(8, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(16, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(2),
        ]
    )


def fsdd_trained_anew(trial: Any) -> Any:
    """A space of the one reference net: what is left to choose is how the ready space for sound trains."""
    return ds_cnn(), _blocks.training(trial, "spectrogram")


def quickdraw_trained_anew(trial: Any) -> Any:
    """The same of the other reference net, and the ready space for images."""
    mirror = trial.suggest_categorical("mirror", [False, True])
    return two_convolutions(), _blocks.training(trial, "image") | {"mirror": mirror}


MODELS = {"fsdd": (digits, ds_cnn, 3450, 25), "quickdraw": (drawings, two_convolutions, 2818, 15)}
"""Data, net, its trained parameters, and the epochs of the published figure."""


def trained(build: Any, epochs: int, x: NDArray[np.float32], y: NDArray[np.int64]) -> Any:
    """A net after so many epochs, the learning rate along half a cosine."""
    keras.utils.set_random_seed(SEED)
    tf.config.experimental.enable_op_determinism()
    model = build()
    rate = keras.optimizers.schedules.CosineDecay(2e-3, epochs * -(-len(x) // BATCH))
    model.compile(keras.optimizers.Adam(rate), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(x, y, epochs=epochs, batch_size=BATCH, verbose=0)
    return model


def main(name: str, shared: str, folder: str) -> None:
    """Write data and model."""
    load, build, parameters, epochs = MODELS[name]
    sets = load(Path(shared))
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    for part, (x, y) in zip(("train", "validation", "test"), sets, strict=True):
        np.savez_compressed(place / f"search-{name}-{part}.npz", x=x, y=y)
    (x, y), (x_more, y_more) = sets[:2]
    model = trained(build, epochs, np.concatenate([x, x_more]), np.concatenate([y, y_more]))
    counted = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
    assert counted == parameters, counted
    model.save(place / f"search-{name}.keras")


if __name__ == "__main__":
    main(*sys.argv[1:])
