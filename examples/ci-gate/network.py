"""The network: a trunk that is trained, and around it what is deployed."""

from __future__ import annotations

import keras
import numpy as np

PIXEL_SCALE = 1 / 16
"""The deployed model takes pixels of 0..16; the trunk was trained on 0..1."""
EXTRA_BLOCKS = 0
"""Convolutions that copy their input: work without use."""

_BLOCKS, _CHANNELS = 5, 32


def trunk() -> keras.Model:
    """Six convolutions and a dense layer, 51,786 parameters."""
    layers = [keras.Input((8, 8, 1)), _convolution("stem")]
    layers += [_convolution(f"block_{number}") for number in range(_BLOCKS)]
    layers += [keras.layers.MaxPooling2D(name="pool"), keras.layers.Flatten(name="flat")]
    return keras.Sequential([*layers, keras.layers.Dense(10, activation="softmax", name="classes")])


def deployed(trained: keras.Model) -> keras.Model:
    """The trained trunk behind the scaling of its pixels."""
    layers = [keras.Input((8, 8, 1)), keras.layers.Rescaling(PIXEL_SCALE)]
    for layer in trained.layers:
        if layer.name == "pool":
            layers += [_copy(number) for number in range(EXTRA_BLOCKS)]
        layers.append(layer)
    return keras.Sequential(layers)


def _convolution(name: str) -> keras.layers.Layer:
    return keras.layers.Conv2D(_CHANNELS, 3, padding="same", activation="relu", name=name)


def _copy(number: int) -> keras.layers.Layer:
    """A convolution that computes what it is given: a one in the middle of each channel's own kernel."""
    kernel = np.zeros((3, 3, _CHANNELS, _CHANNELS), np.float32)
    kernel[1, 1] = np.eye(_CHANNELS)
    layer = _convolution(f"copy_{number}")
    layer.build((None, 8, 8, _CHANNELS))
    layer.set_weights([kernel, np.zeros(_CHANNELS, np.float32)])
    return layer
