"""Build what is deployed out of the trained weights.

Usage: python build.py DATA FOLDER

Reads DATA/weights.weights.h5, writes FOLDER/model.keras.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

from network import deployed, trunk


def main(data: Path, folder: Path) -> None:
    """Read, build, write."""
    model = trunk()
    model.load_weights(data / "weights.weights.h5")
    folder.mkdir(parents=True, exist_ok=True)
    deployed(model).save(folder / "model.keras")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
