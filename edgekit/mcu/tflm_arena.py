"""The smallest arena that tflite-micro accepts for a model, by trying; runs in a child process."""

from __future__ import annotations

import importlib
import importlib.metadata
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edgekit.core.errors import UnsupportedError

_LARGEST = 64 << 20


def measure(model: str) -> dict[str, Any]:
    """Bisect the size; each try is a process of its own, because too small an arena may end in a segmentation fault.

    Args:
        model: path of a .tflite.

    Returns:
        `arena_bytes`, and the `interpreter` with its version.

    Raises:
        UnsupportedError: tflite-micro is not there, or does not take the model.
    """
    try:
        interpreter = importlib.import_module("tflite_micro").runtime.Interpreter
    except ImportError as cause:
        raise UnsupportedError(
            "measuring TFLM's arena needs tflite-micro", hint="pip install 'edgekit-deploy[mcu]'"
        ) from cause
    content = Path(model).read_bytes()

    def run(size_bytes: int) -> None:
        interpreter.from_bytes(content, arena_size=size_bytes).invoke()

    if not _succeeds(run, _LARGEST):
        raise UnsupportedError(
            f"tflite-micro does not take {Path(model).name}",
            hint="quantize it: edgekit compile MODEL --target TARGET",
        )
    return {
        "arena_bytes": _smallest(run),
        "interpreter": f"tflite-micro {importlib.metadata.version('tflite-micro')}",
    }


def _smallest(run: Callable[[int], None]) -> int:
    low, high = 0, 1024  # low fails
    while not _succeeds(run, high):
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        if _succeeds(run, middle):
            high = middle
        else:
            low = middle
    return high


def _succeeds(run: Callable[[int], None], size_bytes: int) -> bool:
    """Whether a call returns, in a process of its own, its messages unseen."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            silent = os.open(os.devnull, os.O_WRONLY)
            os.dup2(silent, 1)
            os.dup2(silent, 2)
            run(size_bytes)
            status = 0
        finally:
            os._exit(status)
    return os.waitpid(child, 0)[1] == 0
