"""torch.export for all passes that start from it: one sample, static shapes, and errors that name the user's line."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgekit.core.errors import UnsupportedError
from edgekit.core.pt2 import read_program
from edgekit.passes._torch.loading import example, load, where
from edgekit.passes._torch.settings import settle


def read(job: dict[str, Any]) -> tuple[Any, tuple[Any, ...], str]:
    """The model of a job.

    Args:
        job: with "source" and "source_format".

    Returns:
        The module in eval mode, example inputs of one sample each, and the model's name for messages.
    """
    if job["source_format"] == "torch_export":
        return program_inputs(job["source"])
    loaded = load(job["source"])
    return loaded.module, example(loaded.inputs), loaded.factory


def program_inputs(path: str) -> tuple[Any, tuple[Any, ...], str]:
    """A torch.export program as a module, with example inputs of its own shapes; axes that are open get one sample.

    Raises:
        VerificationError: loading it would run code.
        UnsupportedError: it is damaged, or this PyTorch cannot read it.
    """
    import torch

    settle()
    checked = read_program(Path(path))
    try:
        program = torch.export.load(io.BytesIO(checked.copy))
    except Exception as cause:
        raise UnsupportedError(
            f"PyTorch {torch.__version__} cannot read this program of PyTorch {checked.torch_version}: "
            f"{first_line(cause)}",
            hint="export the model with the PyTorch that edgekit has",
        ) from cause
    shapes = [
        node.meta["val"]
        for node in program.graph.nodes
        if node.op == "placeholder" and node.name in program.graph_signature.user_inputs
    ]
    generator = torch.Generator().manual_seed(0)
    examples = []
    for value in shapes:
        sizes = [size if isinstance(size, int) else 1 for size in value.shape]
        floats = value.dtype.is_floating_point
        examples.append(torch.rand(sizes, generator=generator) if floats else torch.zeros(sizes, dtype=value.dtype))
    module: Any = program.module(check_guards=False)
    module._forward_pre_hooks.clear()  # noqa: SLF001 - compares shapes, which no trace can follow
    for each in module.modules():
        each.training = False
    module.train = lambda _mode=True: module  # its own refuses; its mode is that in which it was exported
    return module, tuple(examples), "the exported program"


def exported(module: Any, examples: Sequence[Any], *, name: str, dynamic_shapes: Any = None) -> Any:
    """The module as a torch.export program.

    Args:
        module: in the mode in which it is to run.
        examples: inputs whose shapes are fixed from now on.
        name: for messages.
        dynamic_shapes: axes that stay open, as torch.export takes them.

    Raises:
        UnsupportedError: it cannot be exported, e.g. because its control flow depends on data; with the line.
    """
    import torch

    try:
        with torch.no_grad():
            return torch.export.export(module, tuple(examples), dynamic_shapes=dynamic_shapes)
    except Exception as cause:
        raise UnsupportedError(
            f"torch.export cannot follow {name}: {_reason(cause)}{_line(cause)}",
            hint="take branches and loops on the values of tensors out of forward, e.g. with torch.where",
        ) from cause


def _reason(error: Exception) -> str:
    text = str(error)
    if "data-dependent" in text or "GuardOnDataDependent" in type(error).__name__:
        return "its control flow depends on data"
    return first_line(error)


def first_line(error: Exception) -> str:
    """What an exception says, as much as goes into one line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0][:300] if lines else type(error).__name__


def _line(error: Exception) -> str:
    """Place in the user's code: of the exception itself, or the one that torch.export writes into its message."""
    if found := where(error):
        return found
    here = re.escape(str(Path.cwd()))
    told = re.findall(rf'File "{here}/([^"]+)", line (\d+)', str(error))
    return f" ({told[-1][0]}, line {told[-1][1]})" if told else ""
