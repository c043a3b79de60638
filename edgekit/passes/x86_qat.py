"""Train a PyTorch model with fake quantization, then make it integer for x86 servers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from edgekit.passes._torch_quantization import LiteTrainingPass, QatParams


@dataclass(frozen=True, kw_only=True)
class X86QatParams(QatParams):
    """Parameters of `x86_qat`.

    Attributes:
        engine: "x86" chooses between fbgemm's and oneDNN's kernels, "fbgemm" takes its own.
    """

    engine: Literal["x86", "fbgemm"] = "x86"


class X86Qat(LiteTrainingPass[X86QatParams]):
    """The pass `x86_qat`."""

    name = "x86_qat"
    params_type = X86QatParams


PASS = X86Qat()
