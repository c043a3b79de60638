"""Tiny models made by Keras and TensorFlow in one child process, once a run.

Run as a script with a folder and a canary: writes tiny.keras, open_shape.keras, tokens.keras, tiny_saved_model, the
tiny model as .h5 and in Keras 2 (tiny.h5, tiny_tf_keras.keras, tiny_tf_keras.h5), weights alone, and SavedModels that
read a file, that write the canary when they run, and that write it from a second graph.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np

SHAPE, CLASSES = (4, 4, 1), 3


def build_once(base: Path) -> Path:
    """The folder with the models, and `canary`, which only the hostile ones would write."""
    folder = base / "framework-models"
    if not (folder / "done").exists():
        subprocess.run(
            [sys.executable, __file__, str(folder), str(folder / "canary")],
            check=True,
            capture_output=True,
            timeout=300,
            env={**os.environ, "CUDA_VISIBLE_DEVICES": "", "TF_CPP_MIN_LOG_LEVEL": "2"},
        )
    return folder


def samples(n: int = 16) -> np.ndarray:
    """Inputs for the tiny models, shape [n, 4, 4, 1], float32 in 0..1."""
    return np.random.default_rng(1).random((n, *SHAPE), dtype=np.float32)


def _build(folder: Path, canary: str) -> None:
    import keras
    import tensorflow as tf

    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input(SHAPE, name="pixels"),
            keras.layers.Conv2D(4, 3, activation="relu"),
            keras.layers.Flatten(),
            keras.layers.Dense(CLASSES, activation="softmax"),
        ]
    )
    folder.mkdir(parents=True)
    model.save(folder / "tiny.keras")
    model.save(folder / "tiny.h5")
    _save_in_keras_2(folder, model.get_weights())
    model.export(str(folder / "tiny_saved_model"), verbose=False)
    open_shape = keras.Sequential([keras.Input((None, None, 1)), keras.layers.GlobalAveragePooling2D()])
    open_shape.save(folder / "open_shape.keras")
    tokens = keras.Sequential(
        [keras.Input((6,), dtype="int32"), keras.layers.Embedding(11, 4), keras.layers.GlobalAveragePooling1D()]
    )
    tokens.save(folder / "tokens.keras")

    class Reads(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([1], tf.float32)])
        def run(self, x: tf.Tensor) -> tf.Tensor:
            return x + tf.cast(tf.strings.length(tf.io.read_file("/etc/hostname")), tf.float32)

    class Writes(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([1], tf.float32)])
        def run(self, x: tf.Tensor) -> tf.Tensor:
            with tf.control_dependencies([tf.io.write_file(canary, "executed")]):
                return x * 2

    class Saves(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([1], tf.float32)])
        def run(self, x: tf.Tensor) -> tf.Tensor:
            with tf.control_dependencies(
                [tf.raw_ops.SaveV2(prefix=canary, tensor_names=["x"], shape_and_slices=[""], tensors=[x])]
            ):
                return x * 2

    for name, module in (("reads_a_file", Reads()), ("writes_a_file", Writes()), ("saves_a_checkpoint", Saves())):
        tf.saved_model.save(module, str(folder / name), signatures={"serving_default": module.run})
    _hide_in_second_graph(folder)
    (folder / "done").touch()


def _save_in_keras_2(folder: Path, weights: list[np.ndarray]) -> None:
    """The tiny model once more, with an optimizer that has a state."""
    import tf_keras

    model = tf_keras.Sequential(
        [
            tf_keras.Input(SHAPE, name="pixels"),
            tf_keras.layers.Conv2D(4, 3, activation="relu"),
            tf_keras.layers.Flatten(),
            tf_keras.layers.Dense(CLASSES, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    model.train_on_batch(samples(), np.zeros(16))
    model.set_weights(weights)
    model.save(folder / "tiny_tf_keras.keras")
    model.save(folder / "tiny_tf_keras.h5")
    model.save_weights(folder / "weights_only.h5")
    model.save_weights(folder / "only.weights.h5")


def _hide_in_second_graph(folder: Path) -> None:
    """A harmless graph first, under another tag; the one that is served comes second."""
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    hidden = folder / "writes_from_second_graph"
    shutil.copytree(folder / "writes_a_file", hidden)
    harmless, harmful = SavedModel(), SavedModel()
    harmless.ParseFromString((folder / "tiny_saved_model" / "saved_model.pb").read_bytes())
    harmful.ParseFromString((hidden / "saved_model.pb").read_bytes())
    harmless.meta_graphs[0].meta_info_def.tags[:] = ["other"]
    harmless.meta_graphs.append(harmful.meta_graphs[0])
    (hidden / "saved_model.pb").write_bytes(harmless.SerializeToString())


if __name__ == "__main__":
    _build(Path(sys.argv[1]), sys.argv[2])
