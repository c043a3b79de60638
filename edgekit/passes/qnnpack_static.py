"""Quantize a PyTorch model's weights and activations for QNNPACK, with ranges from a representative dataset."""

from __future__ import annotations

from edgekit.passes._torch_quantization import LitePass, StaticParams


class QnnpackStatic(LitePass[StaticParams]):
    """The pass `qnnpack_static`."""

    name = "qnnpack_static"
    params_type = StaticParams
    needs_representative = True
    function = "edgekit.passes._torch.quantizing:static"


PASS = QnnpackStatic()
