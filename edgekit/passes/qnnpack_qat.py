"""Train a PyTorch model with fake quantization, then make it integer for QNNPACK."""

from __future__ import annotations

from edgekit.passes._torch_quantization import LiteTrainingPass, QatParams


class QnnpackQat(LiteTrainingPass[QatParams]):
    """The pass `qnnpack_qat`."""

    name = "qnnpack_qat"
    params_type = QatParams


PASS = QnnpackQat()
