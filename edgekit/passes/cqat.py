"""Quantization-aware training that keeps the clusters of a clustered model; writes an int8 .tflite."""

from __future__ import annotations

from edgekit.passes._qat import QatPass


class Cqat(QatPass):
    """The pass `cqat`."""

    name = "cqat"
    preserve = ("clusters",)


PASS = Cqat()
