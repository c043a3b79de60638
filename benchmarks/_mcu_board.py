"""One image on its emulated board: what an inference costs, what memory it takes, and whether its answers are right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.core.firmware import Image
from edgekit.emulators.cortex_m import infer_many, run_image
from edgekit.mcu.cycles import estimate_cycles


@dataclass(frozen=True, kw_only=True)
class Counted:
    """What is known of an image.

    Attributes:
        instructions: of one inference, on the first sample.
        cycles: an estimate, lowest and highest; no silicon was asked.
        arena_bytes: working memory with inputs, outputs and scratch.
        ram_bytes: the same with variables; without the stack.
        code_bytes: functions, with those of the compiler's library that they call.
        flash_bytes: the same with weights, tables and parameters; without startup and harness.
        stack_bytes: the peak below the inference.
        right: answers equal to the oracle's bit for bit.
        samples: of so many.
        toolchain: name and version.
        flags: what code generation depends on.
    """

    instructions: int
    cycles: tuple[int, int]
    arena_bytes: int
    ram_bytes: int
    code_bytes: int
    flash_bytes: int
    stack_bytes: int
    right: int
    samples: int
    toolchain: str
    flags: tuple[str, ...]


def count(image: Image, inputs: NDArray[Any], wanted: NDArray[Any]) -> Counted:
    """Run an image.

    Args:
        image: linked for a board with an emulator.
        inputs: of shape (samples, ...); the first one is counted.
        wanted: the oracle's answers, of shape (samples, ...).

    Raises:
        EdgekitError: nothing here emulates the board, or the image died.
    """
    samples = [[np.ascontiguousarray(sample).tobytes()] for sample in inputs]
    first = run_image(image.path, image.board, samples[:1])
    answers = infer_many(image.path, image.board, samples)
    right = sum(answer == [row.tobytes()] for answer, row in zip(answers, wanted, strict=True))
    assert first.instructions is not None
    assert first.stack_bytes is not None
    cycles = estimate_cycles(first, image.board)
    size = image.size
    return Counted(
        instructions=first.instructions,
        cycles=(cycles["low"], cycles["high"]),
        arena_bytes=size.arena_bytes,
        ram_bytes=size.ram_bytes,
        code_bytes=size.code_bytes,
        flash_bytes=size.flash_bytes,
        stack_bytes=first.stack_bytes,
        right=right,
        samples=len(samples),
        toolchain=image.toolchain,
        flags=image.flags,
    )
