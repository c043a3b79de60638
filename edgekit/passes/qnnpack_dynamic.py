"""Quantize the weights of a PyTorch model's linear and recurrent layers for QNNPACK; needs no data."""

from __future__ import annotations

from edgekit.passes._torch_quantization import DynamicParams, LitePass


class QnnpackDynamic(LitePass[DynamicParams]):
    """The pass `qnnpack_dynamic`."""

    name = "qnnpack_dynamic"
    params_type = DynamicParams
    function = "edgekit.passes._torch.quantizing:dynamic"


PASS = QnnpackDynamic()
