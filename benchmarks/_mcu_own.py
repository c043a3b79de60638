"""edgekit's own images of a model: on a Cortex-M4 in its three settings, and on the other cores."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from benchmarks._mcu_board import Counted, count
from edgekit.config.targets import load_target
from edgekit.core.tflite.model import read_model
from edgekit.mcu.generate import compile_library
from edgekit.mcu.image import core_of
from edgekit.mcu.link import build_image
from edgekit.mcu.toolchain import versions

M4 = "cortex_m4"
SETTINGS = ("speed", "ram", "flash")
CORES = ("cortex_m0plus", "cortex_m3", M4, "cortex_m7", "cortex_m33", "cortex_m55")
HELIUM = "cortex_m55"
"""The core on which the two compilers differ most, so both are asked."""


def on_settings(model: Path, inputs: NDArray[Any], wanted: NDArray[Any]) -> dict[str, Counted]:
    """Each setting of `--optimize` on a Cortex-M4, by gcc."""
    return {setting: _counted(model, inputs, wanted, M4, setting, "gcc") for setting in SETTINGS}


def on_cores(model: Path, inputs: NDArray[Any], wanted: NDArray[Any]) -> dict[str, Counted]:
    """The setting "speed" on every other core by gcc, and with Helium by zig too, where it is installed."""
    found = {core: _counted(model, inputs, wanted, core, "speed", "gcc") for core in CORES if core != M4}
    if "zig" in versions():
        found[f"{HELIUM} zig"] = _counted(model, inputs, wanted, HELIUM, "speed", "zig")
    return found


def _counted(
    model: Path, inputs: NDArray[Any], wanted: NDArray[Any], target: str, setting: str, toolchain: str
) -> Counted:
    board = load_target(target).board
    assert board is not None
    library = compile_library(read_model(model), core_of(board, setting))
    with tempfile.TemporaryDirectory(prefix="edgekit-bench-") as name:
        elf = Path(name) / "model.elf"
        image = build_image(library, board, elf, target=target, optimize=setting, toolchain=toolchain)
        return count(image, inputs, wanted)
