"""Quantize the weights of a PyTorch model's linear layers to int8 for ExecuTorch and XNNPACK; needs no data."""

from __future__ import annotations

from edgekit.passes._executorch import ExecutorchPass, XnnpackParams


class ExecutorchXnnpackDynamic(ExecutorchPass[XnnpackParams]):
    """The pass `executorch_xnnpack_dynamic`: activations are quantized on the fly."""

    name = "executorch_xnnpack_dynamic"
    version = "1"
    params_type = XnnpackParams
    mode = "dynamic"
    dtype = "int8"


PASS = ExecutorchXnnpackDynamic()
