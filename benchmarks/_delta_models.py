"""Releases of one model, one after the other: trained on, with a new head, and trained anew.

Usage: python _delta_models.py MODEL TRAIN.npz FOLDER: writes STEP-KIND.tflite for each step and float or int8.
"""

import sys
from pathlib import Path

import _by_hand_steps as steps
import tf_keras

LEARNING_RATE = 1e-4
SAMPLES = 6_000


def copied(model):
    """The same model once more."""
    copy = tf_keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    return copy


def main(path, train, folder):
    """The steps: an epoch with other seeds and a small rate, the same for the last layer alone, other first weights."""
    steps.start()
    first = tf_keras.models.load_model(path, compile=False) if path.endswith(".h5") else steps.as_tf_keras(path)
    x, y = (part[:SAMPLES] for part in steps.load(train))
    y = y if y.ndim == 1 else y.argmax(axis=1)
    trained_on = steps.train(copied(first), x, y, epochs=1, learning_rate=LEARNING_RATE)
    head = copied(first)
    for layer in head.layers[:-1]:
        layer.trainable = False
    steps.train(head, x, y, epochs=1, learning_rate=LEARNING_RATE)
    anew = steps.train(tf_keras.models.clone_model(first), x, y, epochs=1)
    for name, model in {"first": first, "trained_on": trained_on, "head": head, "anew": anew}.items():
        (folder / f"{name}-float.tflite").write_bytes(steps.converted(model))
        (folder / f"{name}-int8.tflite").write_bytes(steps.converted(model, x))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
