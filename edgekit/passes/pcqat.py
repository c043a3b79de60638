"""Quantization-aware training that keeps zeros and clusters of a model; writes an int8 .tflite."""

from __future__ import annotations

from edgekit.passes._qat import QatPass


class Pcqat(QatPass):
    """The pass `pcqat`."""

    name = "pcqat"
    preserve = ("sparsity", "clusters")


PASS = Pcqat()
