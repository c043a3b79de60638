"""Models that differ by how often they do the same work, so that one is a known share slower than another.

Usage: python _chain_models.py FOLDER SIDE COUNT...: writes FOLDER/chain-COUNT-SIDE.keras, COUNT equal convolutions of
SIDE x SIDE pixels in a row.
"""

import os
import sys
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import keras
from keras import layers

CHANNELS = 16


def chain(count, side):
    """Nothing but the convolutions takes time."""
    convolutions = [layers.Conv2D(CHANNELS, 3, padding="same", activation="relu") for _ in range(count)]
    return keras.Sequential([layers.Input((side, side, CHANNELS)), *convolutions], name=f"chain_{count}_{side}")


if __name__ == "__main__":
    folder, pixels = Path(sys.argv[1]), int(sys.argv[2])
    for layer_count in map(int, sys.argv[3:]):
        keras.utils.set_random_seed(0)
        chain(layer_count, pixels).save(folder / f"chain-{layer_count}-{pixels}.keras")
