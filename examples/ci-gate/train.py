"""Train the example's network on scikit-learn's 8x8 digits, in under a minute.

Usage: python train.py FOLDER

Writes FOLDER/weights.weights.h5, and FOLDER/train.npz and FOLDER/test.npz with pixels x in 0..16 and labels y.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import keras
import numpy as np
from network import trunk
from sklearn.datasets import load_digits

TRAINING_SAMPLES = 1257  # of 1797; the rest is the test set
PIXEL_MAX = 16


def main(folder: Path) -> None:
    """Train, and write weights and data."""
    keras.utils.set_random_seed(0)
    digits = load_digits()
    order = np.random.default_rng(0).permutation(len(digits.target))
    x = digits.images[order, ..., None].astype(np.float32)
    y = digits.target[order].astype(np.int64)
    model = trunk()
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(x[:TRAINING_SAMPLES] / PIXEL_MAX, y[:TRAINING_SAMPLES], epochs=8, batch_size=32, verbose=0)
    folder.mkdir(parents=True, exist_ok=True)
    np.savez(folder / "train.npz", x=x[:TRAINING_SAMPLES], y=y[:TRAINING_SAMPLES])
    np.savez(folder / "test.npz", x=x[TRAINING_SAMPLES:], y=y[TRAINING_SAMPLES:])
    model.save_weights(folder / "weights.weights.h5")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
