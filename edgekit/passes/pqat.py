"""Quantization-aware training that keeps the zeros of a pruned model; writes an int8 .tflite."""

from __future__ import annotations

from edgekit.passes._qat import QatPass


class Pqat(QatPass):
    """The pass `pqat`."""

    name = "pqat"
    preserve = ("sparsity",)


PASS = Pqat()
