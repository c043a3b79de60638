"""Quantize a PyTorch model to int8 for ExecuTorch and XNNPACK, with ranges from a representative dataset (PT2E)."""

from __future__ import annotations

from edgekit.passes._executorch import ExecutorchPass, XnnpackParams


class ExecutorchXnnpack(ExecutorchPass[XnnpackParams]):
    """The pass `executorch_xnnpack`."""

    name = "executorch_xnnpack"
    version = "1"
    params_type = XnnpackParams
    mode = "static"
    needs_representative = True
    dtype = "int8"


PASS = ExecutorchXnnpack()
