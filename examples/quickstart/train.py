"""Train the quickstart model: a small CNN on scikit-learn's 8x8 digits, in a few seconds.

Usage: python examples/quickstart/train.py FOLDER

Writes FOLDER/quickstart.keras (about 9,000 parameters), and FOLDER/train.npz and FOLDER/test.npz with x in 0..1 and y.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import keras
import numpy as np
from sklearn.datasets import load_digits

TRAINING_SAMPLES = 1257  # of 1797; the rest is the test set


def digits() -> tuple[np.ndarray, np.ndarray]:
    """Images of shape (1797, 8, 8, 1), float32 in 0..1, and their labels, shuffled by a fixed seed."""
    data = load_digits()
    order = np.random.default_rng(0).permutation(len(data.target))
    return (data.images[order, ..., None] / 16).astype(np.float32), data.target[order].astype(np.int64)


def network() -> keras.Model:
    """Two convolutions and two dense layers, 9,258 parameters."""
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Conv2D(16, 3, padding="same", activation="relu"),
            keras.layers.MaxPooling2D(),
            keras.layers.Conv2D(32, 3, padding="same", activation="relu"),
            keras.layers.MaxPooling2D(),
            keras.layers.Flatten(),
            keras.layers.Dense(32, activation="relu"),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )


def main(folder: Path) -> None:
    """Train, and write model and data."""
    keras.utils.set_random_seed(0)
    x, y = digits()
    model = network()
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x[:TRAINING_SAMPLES], y[:TRAINING_SAMPLES], epochs=30, batch_size=32, verbose=0)
    folder.mkdir(parents=True, exist_ok=True)
    np.savez(folder / "train.npz", x=x[:TRAINING_SAMPLES], y=y[:TRAINING_SAMPLES])
    np.savez(folder / "test.npz", x=x[TRAINING_SAMPLES:], y=y[TRAINING_SAMPLES:])
    model.save(folder / "quickstart.keras")
    print(f"trained quickstart.keras: {model.count_params():,} parameters")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
