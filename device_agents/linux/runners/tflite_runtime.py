"""tflite-runtime: .tflite models with the last release of that name (2.14), which old boards still carry."""

from __future__ import annotations

import importlib
from importlib import metadata
from typing import Any

from device_agents.linux.runners import litert

FORMATS = litert.FORMATS
DELEGATES = litert.DELEGATES
KEEPS_TENSORS = True


def versions() -> dict[str, str]:
    """Versions of tflite-runtime and NumPy."""
    return {name: metadata.version(name) for name in ("tflite-runtime", "numpy")}


def prepare() -> None:
    """Import the interpreter and NumPy."""
    _library()


def probe() -> None:
    """Construct an interpreter and run it."""
    litert.probe_with(_library())


def load(path: str, options: dict[str, Any]) -> litert.Session:
    """Load a model, see `litert.load_with`."""
    return litert.load_with(_library(), path, options)


def _library() -> Any:
    return importlib.import_module("tflite_runtime.interpreter")
