"""The float models of the compression benchmarks, trained once with fixed seeds and kept in build/bench.

Usage: python _float_models.py NAME SHARED FOLDER: writes NAME.keras, NAME-train.npz and NAME-eval.npz into FOLDER.

The networks are those of the published tables: the two-convolution sigmoid classifier of drawings (2,818 parameters),
the one-convolution network of TensorFlow's pruning guide (20,410 parameters), and LeNet-5 (61,706 parameters). For
resnet8, which comes trained, there is only data to write.
"""

import os
import sys
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import keras
import numpy as np
import tensorflow as tf
from keras import layers

SEED = 7


def drawings(shared):
    """Quick, Draw! cats and rainbows in place of the example's own pair: 1,600 to train, 400 to evaluate."""
    with np.load(shared / "data" / "quickdraw_cat_rainbow.npz") as data:
        x, y = data["x"], data["y"]
    order = np.random.default_rng(SEED).permutation(len(x))
    x, y = scaled(x[order]), y[order].astype(np.int64)
    return (x[:1600], y[:1600]), (x[1600:], y[1600:])


def digits(shared):
    """MNIST: 60,000 to train, 10,000 to evaluate."""
    with np.load(shared / "data" / "mnist.npz") as data:
        return tuple((scaled(data[f"x_{part}"]), data[f"y_{part}"].astype(np.int64)) for part in ("train", "test"))


def scaled(pixels):
    """0 to 255 as float32 in 0 to 1, with an axis for the channel."""
    return (pixels.reshape(-1, 28, 28, 1) / 255.0).astype(np.float32)


def quickdraw():
    """Two convolutions and two sigmoid scores."""
    return keras.Sequential(
        [
            layers.Input((28, 28, 1)),
            layers.Conv2D(8, 3, padding="same", activation="relu", name="conv1"),
            layers.MaxPooling2D(name="pool1"),
            layers.Conv2D(16, 3, padding="same", activation="relu", name="conv2"),
            layers.MaxPooling2D(name="pool2"),
            layers.Flatten(name="flatten"),
            layers.Dense(2, activation="sigmoid", name="scores"),
        ],
        name="quickdraw",
    )


def quickdraw_student():
    """The classifier with a quarter of the filters and a wider second pool: 170 parameters, not trained yet."""
    return keras.Sequential(
        [
            layers.Input((28, 28, 1)),
            layers.Conv2D(2, 3, padding="same", activation="relu", name="conv1"),
            layers.MaxPooling2D(name="pool1"),
            layers.Conv2D(4, 3, padding="same", activation="relu", name="conv2"),
            layers.MaxPooling2D(4, name="pool2"),
            layers.Flatten(name="flatten"),
            layers.Dense(2, activation="sigmoid", name="scores"),
        ],
        name="student",
    )


def mnist_cnn():
    """One convolution and one dense layer."""
    return keras.Sequential(
        [
            layers.Input((28, 28, 1)),
            layers.Conv2D(12, 3, activation="relu", name="conv"),
            layers.MaxPooling2D(name="pool"),
            layers.Flatten(name="flatten"),
            layers.Dense(10, name="scores"),
        ],
        name="mnist_cnn",
    )


def lenet5():
    """LeCun et al. 1998, with ReLU and max pooling as it is trained today."""
    return keras.Sequential(
        [
            layers.Input((28, 28, 1)),
            layers.Conv2D(6, 5, padding="same", activation="relu", name="conv1"),
            layers.MaxPooling2D(name="pool1"),
            layers.Conv2D(16, 5, activation="relu", name="conv2"),
            layers.MaxPooling2D(name="pool2"),
            layers.Flatten(name="flatten"),
            layers.Dense(120, activation="relu", name="dense1"),
            layers.Dense(84, activation="relu", name="dense2"),
            layers.Dense(10, activation="softmax", name="scores"),
        ],
        name="lenet5",
    )


def images(shared):
    """2,000 CIFAR-10 test images, JPEG-recompressed, 0 to 255: half to calibrate and fine-tune, half to evaluate."""
    with np.load(shared / "data" / "cifar10_test_jpeg_2000.npz") as data:
        x, y = data["x"].astype(np.float32), data["y"].astype(np.int64)
    order = np.random.default_rng(SEED).permutation(len(x))
    x, y = x[order], y[order]
    return (x[:1000], y[:1000]), (x[1000:], y[1000:])


def trained(build, epochs, x, y):
    """A network after so many epochs."""
    keras.utils.set_random_seed(SEED)
    tf.config.experimental.enable_op_determinism()
    model = build()
    logits = model.layers[-1].activation is keras.activations.linear
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=logits))
    model.fit(x, y, epochs=epochs, batch_size=64, verbose=0)
    return model


MODELS = {
    "quickdraw": (quickdraw, drawings, 12),
    "mnist_cnn": (mnist_cnn, digits, 4),
    "lenet5": (lenet5, digits, 5),
    "resnet8": (None, images, 0),
}


def main(name, shared, folder):
    """Write the data, and train the model where it does not come trained."""
    build, load, epochs = MODELS[name]
    (x, y), (x_eval, y_eval) = load(Path(shared))
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(folder / f"{name}-train.npz", x=x, y=y)
    np.savez_compressed(folder / f"{name}-eval.npz", x=x_eval, y=y_eval)
    if name == "quickdraw":
        keras.utils.set_random_seed(SEED)
        quickdraw_student().save(folder / f"{name}-student.keras")
    if build is not None:
        trained(build, epochs, x, y).save(folder / f"{name}.keras")


if __name__ == "__main__":
    main(*sys.argv[1:])
