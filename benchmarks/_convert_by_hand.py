"""The yardstick of `compile`: what a person writes who converts a Keras model to int8 without edgekit.

Usage: python _convert_by_hand.py MODEL.keras SAMPLES.npz OUTPUT.tflite
"""

import os
import sys
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"

import numpy as np
import tensorflow as tf

model_path, samples_path, output_path = sys.argv[1:]
model = tf.keras.models.load_model(model_path, compile=False)
fixed = tf.keras.Input(batch_shape=(1, *model.inputs[0].shape[1:]))
converter = tf.lite.TFLiteConverter.from_keras_model(tf.keras.Model(fixed, model(fixed)))
samples = np.load(samples_path)["x"][:100].astype(np.float32)
converter.optimizations = [tf.lite.Optimize.DEFAULT]
converter.representative_dataset = lambda: ([sample[None]] for sample in samples)
converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
converter.inference_input_type = converter.inference_output_type = tf.int8
Path(output_path).write_bytes(converter.convert())
