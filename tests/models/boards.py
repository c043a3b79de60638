"""Boards for tests: the six cores, a small model, and what must be installed to compile for them and play them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.config.targets import load_target
from edgekit.core.firmware import Image
from edgekit.core.target import Board, MemoryRegion
from edgekit.core.tflite.model import parse_model
from edgekit.emulators.cortex_m import EMULATOR
from edgekit.mcu.emit import Library
from edgekit.mcu.generate import compile_library
from edgekit.mcu.image import core_of
from edgekit.mcu.link import build_image
from edgekit.mcu.toolchain import COMPILERS, REMEDY, toolchains
from tests.models import mcu_models as models

CORES = ("cortex_m0plus", "cortex_m3", "cortex_m4", "cortex_m7", "cortex_m33", "cortex_m55")
"""A target of each core."""


def board(target: str = "cortex_m4", *, flash_bytes: int | None = None, ram_bytes: int | None = None) -> Board:
    """A target's board, with other sizes where they are given."""
    found = load_target(target).board
    assert found is not None
    return replace(
        found,
        flash=MemoryRegion(base=found.flash.base, size_bytes=flash_bytes or found.flash.size_bytes),
        ram=MemoryRegion(base=found.ram.base, size_bytes=ram_bytes or found.ram.size_bytes),
    )


def dense_model() -> bytes:
    """32 -> 16 (ReLU) -> 4, int8, seeded."""
    rng = np.random.default_rng(7)

    def activation(size: int) -> models.Spec:
        return models.Spec(shape=(1, size), scales=(0.05,), zero_points=(3,))

    def layer(given: models.Spec, made: models.Spec, activation: int) -> models.Op:
        shape = (made.shape[1], given.shape[1])
        weights = models.constant(rng.integers(-127, 128, shape), dtype="int8", scales=(0.01,))
        bias = models.constant(rng.integers(-500, 500, shape[0]), dtype="int32", scales=(0.0005,))
        options: Any = models.options("FullyConnectedOptions", fusedActivationFunction=activation)
        return models.Op(name="FULLY_CONNECTED", inputs=[given, weights, bias], outputs=[made], options=options)

    first, hidden, last = activation(32), activation(16), activation(4)
    return models.build([layer(first, hidden, 1), layer(hidden, last, 0)])


def library_for(model: bytes, for_board: Board, *, optimize: str = "speed") -> Library:
    """The generated C for a board's core."""
    return compile_library(parse_model(model), core_of(for_board, optimize))


def image_for(model: bytes, for_board: Board, path: Path, **options: Any) -> Image:
    """The linked image."""
    return build_image(library_for(model, for_board), for_board, path, target="the test's board", **options)


def samples(sizes: tuple[int, ...], count: int, *, seed: int = 0) -> list[list[bytes]]:
    """Random bytes for each input of each sample."""
    rng = np.random.default_rng(seed)
    return [[rng.integers(0, 256, size, dtype=np.uint8).tobytes() for size in sizes] for _ in range(count)]


def need_board_tools(*compilers: str) -> None:
    """Skip, with what to install, where boards cannot be built or played; without names any compiler will do."""
    there = {found.name for found in toolchains()}
    absent = [COMPILERS[name] for name in compilers if name not in there] if compilers else []
    if absent or not there:
        pytest.skip(f"{', '.join(absent) or 'a compiler for Cortex-M'} is missing ({REMEDY})")
    lacks = EMULATOR.missing()
    if lacks:
        pytest.skip("; ".join(f"{item.what} is missing ({item.remedy})" for item in lacks))
