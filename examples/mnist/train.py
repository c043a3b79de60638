"""Train a LeNet-like CNN on MNIST and save it as mnist.keras.

Usage: python examples/mnist/train.py MNIST_NPZ FOLDER [--epochs N]

MNIST_NPZ is the file that keras.datasets.mnist downloads: x_train, y_train, x_test, y_test; x is uint8 of shape
(samples, 28, 28). Writes FOLDER/mnist.keras; edgekit reads the samples from MNIST_NPZ itself.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import keras
import numpy as np


def network() -> keras.Model:
    """Two convolutions and two dense layers over 28x28 pixels in 0..1; 61,706 parameters."""
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            keras.layers.Conv2D(6, 5, padding="same", activation="relu"),
            keras.layers.MaxPooling2D(),
            keras.layers.Conv2D(16, 5, activation="relu"),
            keras.layers.MaxPooling2D(),
            keras.layers.Flatten(),
            keras.layers.Dense(120, activation="relu"),
            keras.layers.Dense(84, activation="relu"),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )


def main() -> None:
    """Train, print the accuracy on the test set, and save the model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mnist_npz", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--epochs", type=int, default=3)
    options = parser.parse_args()

    keras.utils.set_random_seed(0)
    with np.load(options.mnist_npz, allow_pickle=False) as data:
        x_train, x_test = (data[name][..., None].astype(np.float32) / 255 for name in ("x_train", "x_test"))
        y_train, y_test = data["y_train"], data["y_test"]
    model = network()
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x_train, y_train, epochs=options.epochs, batch_size=128, verbose=2)
    _, accuracy = model.evaluate(x_test, y_test, verbose=0)
    options.folder.mkdir(parents=True, exist_ok=True)
    model.save(options.folder / "mnist.keras")
    print(
        f"saved {options.folder / 'mnist.keras'}: {model.count_params():,} parameters, {accuracy:.2%} correct in Keras"
    )


if __name__ == "__main__":
    main()
