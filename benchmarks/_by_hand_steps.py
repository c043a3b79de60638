"""What the hand-written scripts of the compression benchmarks share: load, prune, cluster, convert, weigh, score.

Plain tf_keras, tensorflow-model-optimization and TFLiteConverter, as their guides show them; nothing of edgekit.
"""

import inspect
import json
import os
import sys
import zlib

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"
os.environ["CUDA_VISIBLE_DEVICES"] = ""
os.environ["TF_USE_LEGACY_KERAS"] = "1"

import keras
import numpy as np
import tensorflow as tf
import tensorflow_model_optimization as tfmot
import tf_keras
from ai_edge_litert.interpreter import Interpreter

SEED = 0
CALIBRATION_SAMPLES = 100


def load(path):
    """Samples and labels of a .npz."""
    with np.load(path) as data:
        return data["x"].astype(np.float32), data["y"].astype(np.int64)


def start():
    """Fixed seeds and kernels."""
    tf_keras.utils.set_random_seed(SEED)
    tf.config.experimental.enable_op_determinism()


def as_tf_keras(path):
    """A Keras 3 Sequential model as a tf_keras one: tfmot 0.8.1 takes no other."""
    model = keras.models.load_model(path, compile=False)
    same = tf_keras.Sequential([tf_keras.layers.Input(model.input_shape[1:])])
    for layer in model.layers:
        kind = getattr(tf_keras.layers, type(layer).__name__)
        known = inspect.signature(kind.__init__).parameters
        config = {key: value for key, value in layer.get_config().items() if key in known}
        same.add(kind(**{key: value for key, value in config.items() if not key.endswith("_initializer")}))
    same.set_weights(model.get_weights())
    return same


def train(model, x, y, *, epochs, learning_rate=1e-3, batch_size=64, loss=None, callbacks=()):
    """Adam on cross-entropy, one order of samples a seed."""
    loss = loss or tf_keras.losses.SparseCategoricalCrossentropy(from_logits=_ends_with_logits(model))
    model.compile(tf_keras.optimizers.Adam(learning_rate), loss)
    model.fit(x, y, epochs=epochs, batch_size=batch_size, verbose=0, callbacks=list(callbacks))
    return model


def prune(model, x, y, *, sparsity, epochs, batch_size=64, learning_rate=1e-3, by_layer=None):
    """As in tfmot's guide: a polynomial decay over the first 70 % of the training, then the wrappers off.

    The layers of the given model go over into the result.
    """
    steps = -(-len(x) // batch_size) * epochs

    def wrap(layer):
        share = (by_layer or {}).get(layer.name, sparsity)
        if not layer.trainable_weights or not share or isinstance(layer, tf_keras.layers.BatchNormalization):
            return layer
        schedule = tfmot.sparsity.keras.PolynomialDecay(0.0, share, 0, int(0.7 * steps), frequency=10)
        return tfmot.sparsity.keras.prune_low_magnitude(layer, pruning_schedule=schedule)

    wrapped = tf_keras.models.clone_model(model, clone_function=wrap)
    callbacks = [tfmot.sparsity.keras.UpdatePruningStep()]
    train(wrapped, x, y, epochs=epochs, batch_size=batch_size, learning_rate=learning_rate, callbacks=callbacks)
    return tfmot.sparsity.keras.strip_pruning(wrapped)


def cluster(model, x, y, *, clusters, epochs, batch_size=64, learning_rate=1e-3, preserve_sparsity=True):
    """Share values by tfmot's clustering."""
    from tensorflow_model_optimization.python.core.clustering.keras.experimental import cluster as experimental

    clustered = experimental.cluster_weights(
        model,
        number_of_clusters=clusters,
        cluster_centroids_init=tfmot.clustering.keras.CentroidInitialization.KMEANS_PLUS_PLUS,
        preserve_sparsity=preserve_sparsity,
    )
    train(clustered, x, y, epochs=epochs, batch_size=batch_size, learning_rate=learning_rate)
    return tfmot.clustering.keras.strip_clustering(clustered)


def converted(model, samples=None):
    """A .tflite for one sample at a time: float, or int8 in and out with ranges from the first samples."""
    fixed = tf_keras.Input(batch_shape=(1, *model.inputs[0].shape[1:]))
    converter = tf.lite.TFLiteConverter.from_keras_model(tf_keras.Model(fixed, model(fixed, training=False)))
    if samples is not None:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([sample[None]] for sample in samples[:CALIBRATION_SAMPLES])
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
    return converter.convert()


def zip_bytes(data):
    """Bytes after deflate at level 9, which is what the model adds to a zip archive, headers aside."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return len(packer.compress(data)) + len(packer.flush())


def correct(data, x, y):
    """How many samples a .tflite puts first in the right class."""
    interpreter = Interpreter(model_content=data, num_threads=2)
    details = interpreter.get_input_details()[0]
    interpreter.allocate_tensors()
    output = interpreter.get_output_details()[0]
    if details["dtype"] is not np.float32:
        scale, zero_point = details["quantization"]
        limits = np.iinfo(details["dtype"])
        x = np.clip(np.round(x / scale) + zero_point, limits.min, limits.max).astype(details["dtype"])
    right = 0
    for sample, label in zip(x, y, strict=True):
        interpreter.set_tensor(details["index"], sample[None])
        interpreter.invoke()
        right += int(interpreter.get_tensor(output["index"])[0].argmax() == label)
    return right


def row(data, x, y):
    """One line of a table."""
    return {"size_bytes": len(data), "zip_bytes": zip_bytes(data), "correct": correct(data, x, y), "n": len(y)}


def report(rows):
    """The rows on stdout, behind whatever TensorFlow has printed there."""
    sys.stdout.write("\n" + json.dumps(rows) + "\n")


def _ends_with_logits(model):
    last = model.layers[-1]
    last = getattr(last, "layer", last)
    return getattr(last, "activation", None) is tf_keras.activations.linear
