"""Compile an int8 .tflite ahead of time for a Cortex-M board: C without an interpreter, linked for its memory."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from edgekit.core.artifact import Artifact
from edgekit.core.target import Target
from edgekit.passes._base import Pass, PassContext, PassResult


@dataclass(frozen=True, kw_only=True)
class CortexMParams:
    """Parameters of `cortex_m`.

    Attributes:
        optimize: what to save where one thing costs another: "speed" specialises kernels for each layer, "ram" prefers
            plans and kernels with the least working memory, "flash" keeps one copy of each kernel.
        rounding: "tflm", as TensorFlow Lite Micro; or "litert_ref", as LiteRT's reference kernels: FULLY_CONNECTED
            rounds once and not twice; the image is compared with what it names.
        toolchain: "gcc" (arm-none-eabi-gcc), "zig" (the ziglang package), or "auto": the first that is there.
    """

    optimize: Literal["speed", "ram", "flash"] = "speed"
    rounding: Literal["tflm", "litert_ref"] = "tflm"
    toolchain: Literal["auto", "gcc", "zig"] = "auto"


class CortexM(Pass[CortexMParams]):
    """The pass `cortex_m`."""

    name = "cortex_m"
    accepts = frozenset({"tflite"})
    emits = "elf"
    version = "1"
    params_type = CortexMParams
    is_back_end = True
    dtype = "int8"

    def unsupported(self, target: Target) -> str | None:
        """Only a board with its memory map can be linked for."""
        return super().unsupported(target) or (None if target.board else f"{target.name} has no [board]")

    def target_facts(self, target: Target) -> dict[str, Any]:
        """The board, the compiler and the code of the kernels."""
        from edgekit.mcu.image import code_digest
        from edgekit.mcu.toolchain import versions

        assert target.board is not None
        return {"board": dataclasses.asdict(target.board), "toolchains": versions(), "kernels": code_digest()}

    def _run(self, artifact: Artifact, params: CortexMParams, context: PassContext, output: Path) -> PassResult:
        assert context.target.board is not None
        reply: dict[str, Any] = context.isolate.call(
            "edgekit.mcu.image:build",
            {
                "model": str(artifact.path),
                "output": str(output),
                "board": dataclasses.asdict(context.target.board),
                "target": context.target.name,
                **dataclasses.asdict(params),
            },
            what=f"compiling {artifact.path.name} for {context.target.name}",
            timeout_s=context.timeout_s,
            on_event=context.on_event,
        )
        return PassResult(**reply)


PASS = CortexM()
