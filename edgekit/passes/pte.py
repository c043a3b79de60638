"""Convert a PyTorch model to a float32 ExecuTorch program, computed by XNNPACK."""

from __future__ import annotations

from edgekit.passes._executorch import ExecutorchPass, FloatParams


class Pte(ExecutorchPass[FloatParams]):
    """The pass `pte`."""

    name = "pte"
    version = "1"
    params_type = FloatParams
    mode = "float"


PASS = Pte()
