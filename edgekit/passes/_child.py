"""The part of every pass that runs in the child process once the work is done: look at the result."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

from edgekit.core.tflite.model import parse_model


def describe(path: str, format: str) -> dict[str, Any]:  # noqa: A002 - the project's word for it
    """Signature and packed size of a pass's result.

    Args:
        path: the file.
        format: its artifact format; only "tflite" carries a signature that is read here.
    """
    data = Path(path).read_bytes()
    facts: dict[str, Any] = {"zip_bytes": _packed(data), "inputs": [], "outputs": []}
    if format == "tflite":
        model = parse_model(data)
        facts["inputs"] = [spec.as_json() for spec in model.input_specs()]
        facts["outputs"] = [spec.as_json() for spec in model.output_specs()]
    return facts


def _packed(data: bytes) -> int:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return len(packer.compress(data)) + len(packer.flush())
