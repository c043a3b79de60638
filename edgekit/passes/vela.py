"""Compile an int8 .tflite for Arm's Ethos-U NPU with Vela, which also estimates cycles and memory; nothing runs."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit.core.artifact import Artifact
from edgekit.core.target import Target
from edgekit.passes._base import Pass, PassContext, PassResult


@dataclass(frozen=True, kw_only=True)
class VelaParams:
    """Parameters of `vela`.

    Attributes:
        accelerator: e.g. "ethos-u55-256"; None for the target's `cpu`.
        system_config: clock and memories around the accelerator, a section of the vela.ini that comes with Vela.
        memory_mode: what lies in which memory, another section of it.
    """

    accelerator: str | None = None
    system_config: str = "Ethos_U55_High_End_Embedded"
    memory_mode: str = "Shared_Sram"


class Vela(Pass[VelaParams]):
    """The pass `vela`: operators that the NPU takes become one custom operator of TensorFlow Lite Micro."""

    name = "vela"
    accepts = frozenset({"tflite"})
    emits = "ethos_u"
    version = "1"
    params_type = VelaParams
    is_back_end = True
    dtype = "int8"

    def tools(self, _artifact: Artifact) -> tuple[str, ...]:
        """What compiles and estimates."""
        return ("ethos-u-vela",)

    def target_facts(self, target: Target) -> dict[str, Any]:
        """The accelerator."""
        return {"cpu": target.cpu}

    def _run(self, artifact: Artifact, params: VelaParams, context: PassContext, output: Path) -> PassResult:
        job = dataclasses.asdict(params) | {"accelerator": params.accelerator or context.target.cpu}
        reply: dict[str, Any] = context.isolate.call(
            "edgekit.passes._vela:build",
            {"source": str(artifact.path), "output": str(output), **job},
            what=f"compiling {artifact.path.name} for {job['accelerator']}",
            timeout_s=context.timeout_s,
            on_event=context.on_event,
        )
        return PassResult(**reply)


PASS = Vela()
