"""What edgekit's compiler does for a board, alone and timed from outside: .tflite to C, gcc, linker; nothing runs."""

from __future__ import annotations

import dataclasses
import sys

from edgekit.config.targets import load_target
from edgekit.mcu.image import build

if __name__ == "__main__":
    model, target, output = sys.argv[1:]
    board = load_target(target).board
    assert board is not None
    build(model, output, dataclasses.asdict(board), target, "speed", "tflm", "gcc")
