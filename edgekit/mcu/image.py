"""The pass's part in the child process: a .tflite becomes a linked image, with what is known of it."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from device_agents.mcu import trailer
from edgekit.core.errors import UnsupportedError
from edgekit.core.firmware import Image
from edgekit.core.target import Board
from edgekit.core.tflite.integer_facts import integer_facts
from edgekit.core.tflite.model import Model, read_model
from edgekit.mcu.emit import Library
from edgekit.mcu.generate import compile_library
from edgekit.mcu.layer import Core
from edgekit.mcu.link import build_image
from edgekit.mcu.memory_facts import memory_facts

_SOURCES = ("**/*.py", "kernels/*.h")


def build(
    model: str, output: str, board: Mapping[str, Any], target: str, optimize: str, rounding: str, toolchain: str
) -> dict[str, Any]:
    """Compile, link and write the image.

    Returns:
        What `edgekit.passes._base.PassResult` holds; `facts["mcu"]` is the part of the document `mcu` that is known
        without running.

    Raises:
        UnsupportedError: an operator or a type that the kernels do not compute, no toolchain, or an image that is
            larger than the board.
    """
    machine = Board.from_json(board)
    network = read_model(Path(model))
    core, library, image = min(
        _candidates(network, machine, output, target, optimize, rounding, toolchain),
        key=lambda made: made[2].size.flash_bytes,
    )
    image.path.rename(output)
    image = replace(image, path=Path(output))
    signature = {
        "inputs": [spec.as_json() for spec in network.input_specs()],
        "outputs": [spec.as_json() for spec in network.output_specs()],
    }
    told = {"machine": machine.machine, "sha256": image.sha256, **_fixed(library)}
    image.path.write_bytes(trailer.append(image.path.read_bytes(), told))
    facts = integer_facts(network, activation_bytes=image.size.arena_bytes)
    return {"notes": [], **signature, "facts": facts | {"mcu": _mcu(library, core, image, optimize)}}


def _candidates(
    network: Model, board: Board, output: str, target: str, optimize: str, rounding: str, toolchain: str
) -> Iterator[tuple[Core, Library, Image]]:
    """One image, or for "flash" two: kernels that all layers share are smaller only where several layers share them."""
    for at, code in enumerate(("flash", "speed") if optimize == "flash" else (optimize,)):
        core = core_of(board, code, rounding)
        library = compile_library(network, core)
        path = Path(f"{output}.{at}")
        image = build_image(library, board, path, target=target, optimize=optimize, toolchain=toolchain)
        yield core, library, image


def estimate(model: str) -> dict[str, Any]:
    """What a .tflite needs on a microcontroller, from the plan alone: nothing is compiled.

    Returns:
        `mcu` with `constant_bytes` and `arena_bytes`; or `mcu_refusal`, why it cannot be compiled.
    """
    try:
        library = compile_library(read_model(Path(model)), Core(name="cortex-m4", dsp=True, optimize="ram"))
    except UnsupportedError as error:
        return {"mcu_refusal": error.message}
    return {"mcu": {"constant_bytes": library.constant_bytes, "arena_bytes": library.schedule.plan.size_bytes}}


def core_of(board: Board, optimize: str, rounding: str = "tflm") -> Core:
    """What the code is made for on a board."""
    return Core(name=board.core, dsp=board.dsp, mve=board.mve, optimize=optimize, profile=rounding)


@functools.cache
def code_digest() -> str:
    """SHA-256 over the compiler, its kernels and the harness: other code makes other images."""
    root = Path(__file__).parent
    harness = root.parents[1] / "device_agents" / "mcu"
    files = sorted(file for pattern in _SOURCES for file in root.glob(pattern))
    files += sorted(file for file in harness.iterdir() if file.is_file())
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


def _fixed(library: Library) -> dict[str, Any]:
    """The signature with the shapes that the code is made for."""
    network = library.network
    return {
        side: [{"name": value.name, "shape": list(value.shape), "dtype": value.dtype} for value in values]
        for side, values in (("inputs", network.inputs), ("outputs", network.outputs))
    }


def _mcu(library: Library, core: Core, image: Image, optimize: str) -> dict[str, Any]:
    size, board = image.size, image.board
    return {
        "core": core.name,
        "optimize": optimize,
        "profile": core.profile,
        "toolchain": image.toolchain,
        "flags": list(image.flags),
        "generated_for": asdict(core),
        "flash_bytes": size.flash_bytes,
        "ram_bytes": size.ram_bytes,
        "arena_bytes": size.arena_bytes,
        "weights_bytes": size.constant_bytes,
        "code_bytes": size.code_bytes,
        "image": {
            "sha256": image.sha256,
            "flash_bytes": image.flash_bytes,
            "ram_bytes": image.ram_bytes,
            "stack_reserve_bytes": image.stack_reserve_bytes,
        },
        "board": {
            "title": board.title,
            "flash_bytes": board.flash.size_bytes,
            "ram_bytes": board.ram.size_bytes,
            "clock_hz": board.clock_hz,
        },
        "memory": memory_facts(library.schedule),
        "layers": [{"name": layer.name, "macs": layer.macs} for layer in library.schedule.layers],
    }
