"""Does a model fit a target: operators, types, bytes; with every reason, not only the first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from edgekit.core.target import Target
from edgekit.core.units import format_bytes

_STACK_BYTES = 2048
"""What a board keeps for its stack: three times the most that a compiled model was seen to use."""
_CODE_BYTES = 10 * 1024
"""Kernels, startup and harness of a compiled model: 4 to 10 KiB were measured."""

_INTERPRETER_RAM_BYTES = 64 * 2**20
"""What Python, NumPy and LiteRT take before a model: 34 to 42 MB were measured on x86 and aarch64, rounded up."""


@dataclass(frozen=True, kw_only=True)
class Fit:
    """Whether a model can run on a target, and what is against it."""

    target: str
    ok: bool
    reasons: tuple[str, ...]


def fit(facts: dict[str, Any], *, artifact_format: str, size_bytes: int, target: Target) -> Fit:
    """Judge a model by what is known without running it.

    Args:
        facts: as `edgekit.flows._child.facts` returns them.
        artifact_format: of the model, e.g. "tflite".
        size_bytes: of the file.
        target: where it should run.
    """
    if target.board is not None:
        return _fit_board(facts, artifact_format, target)
    reasons: list[str] = []
    runtime = target.runtime_for(artifact_format) or target.compiler_for(artifact_format)
    if runtime is None:
        reasons.append(f"{target.name} runs no {artifact_format} models")
    else:
        custom = [op["name"] for op in facts["ops"] if op["custom"]]
        if custom:
            reasons.append(f"custom or Flex ops that {runtime.name} lacks: {', '.join(custom)}")
        reasons += [
            f"{runtime.name} has no {op['name']}" for op in facts["ops"] if op["name"] in runtime.unsupported_ops
        ]
        reasons += [
            f"{op['name']} version {op['version']} is needed, {runtime.name} has {runtime.max_op_versions[op['name']]}"
            for op in facts["ops"]
            if op["version"] > runtime.max_op_versions.get(op["name"], op["version"])
        ]
        missing = sorted(set(facts["dtypes"]) - runtime.dtypes)
        if missing:
            reasons.append(f"{runtime.name} has no {', '.join(missing)} kernels")
    if target.flash_bytes is not None and size_bytes > target.flash_bytes:
        reasons.append(f"the file needs {format_bytes(size_bytes)}, the target has {format_bytes(target.flash_bytes)}")
    needed = size_bytes + (facts["activation_bytes"] or 0) + _INTERPRETER_RAM_BYTES
    if target.ram_bytes is not None and needed > target.ram_bytes:
        reasons.append(f"it needs about {format_bytes(needed)} of RAM, the target has {format_bytes(target.ram_bytes)}")
    return Fit(target=target.name, ok=not reasons, reasons=tuple(reasons))


def _fit_board(facts: dict[str, Any], artifact_format: str, target: Target) -> Fit:
    """Judge a model for a microcontroller: its linked image, or what its int8 form will need, before compiling.

    A linked image fits, or the linker would have refused it. Of a .tflite the compiler's own plan is known
    (`facts["mcu"]`, or `facts["mcu_refusal"]`); of anything else that edgekit makes int8 first, one byte for each
    parameter and activation.
    """
    if target.runtime_for(artifact_format) is not None:
        return Fit(target=target.name, ok=True, reasons=())
    if target.compiler_for(artifact_format) is None:
        return Fit(target=target.name, ok=False, reasons=(f"{target.name} runs no {artifact_format} models",))
    if (refusal := facts.get("mcu_refusal")) is not None:
        return Fit(target=target.name, ok=False, reasons=(refusal,))
    plan, word = facts.get("mcu"), ""
    if plan is None:
        word = "about "
        plan = {"constant_bytes": facts["parameters"], "arena_bytes": (facts["activation_bytes"] or 0) // 4}
    flash, ram = plan["constant_bytes"] + _CODE_BYTES, plan["arena_bytes"] + _STACK_BYTES
    has = {"flash": (flash, target.flash_bytes), "RAM": (ram, target.ram_bytes)}
    reasons = [
        f"as int8 it needs {word}{format_bytes(need)} of {what}, the board has {format_bytes(limit)}"
        for what, (need, limit) in has.items()
        if limit is not None and need > limit
    ]
    return Fit(target=target.name, ok=not reasons, reasons=tuple(reasons))
