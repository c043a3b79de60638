"""Quantization-aware training of all layers or of those that are named; writes an int8 .tflite."""

from __future__ import annotations

from edgekit.passes._qat import QatPass


class Qat(QatPass):
    """The pass `qat`."""

    name = "qat"
    preserve = ()


PASS = Qat()
