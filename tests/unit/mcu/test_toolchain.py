"""Compilers and linking: what fits, what does not and why, and what is the same each time."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from edgekit.core.elf import read_elf
from edgekit.core.errors import InternalError, UnsupportedError
from edgekit.core.firmware import MACHINES
from edgekit.mcu import toolchain
from edgekit.mcu.link import STACK_BYTES, build_image, flash_content
from edgekit.mcu.toolchain import find_toolchain
from tests.conftest import ROOT
from tests.models.boards import CORES, board, dense_model, image_for, library_for, need_board_tools

pytestmark = pytest.mark.boards


@pytest.fixture(autouse=True)
def _tools() -> None:
    need_board_tools("gcc")


def test_unknown_compiler_is_named_with_the_remedy(monkeypatch):
    monkeypatch.setattr(toolchain, "toolchains", lambda: ())

    with pytest.raises(UnsupportedError, match="no zig cc on this computer") as caught:
        find_toolchain("zig")

    assert "gcc-arm-none-eabi" in str(caught.value.hint)


def test_image_is_the_same_each_time(tmp_path: Path):
    first, second = (image_for(dense_model(), board(), tmp_path / f"{name}.elf") for name in ("a", "b"))

    assert first.path.read_bytes() == second.path.read_bytes()
    assert first.sha256 == second.sha256


def test_image_lies_in_the_machine_that_plays_the_board(tmp_path: Path):
    image = image_for(dense_model(), board("cortex_m33"), tmp_path / "image.elf")

    elf = read_elf(image.path)
    machine = MACHINES[str(image.board.machine)]
    assert elf.address_of("__flash_begin") == machine.flash.base
    assert machine.ram.base <= elf.address_of("edgekit_arena") < machine.ram.base + machine.ram.size_bytes


def test_image_lies_in_the_board_where_nothing_plays_it(tmp_path: Path):
    alone = replace(board(), machine=None)

    image = image_for(dense_model(), alone, tmp_path / "image.elf")

    assert read_elf(image.path).address_of("__flash_begin") == alone.flash.base == 0x0800_0000


def test_sizes_add_up(tmp_path: Path):
    library = library_for(dense_model(), board())

    image = build_image(library, board(), tmp_path / "image.elf", target="a board")

    arena = library.schedule.plan.size_bytes
    assert image.size.ram_bytes == arena
    assert image.ram_bytes >= arena + STACK_BYTES
    assert image.size.constant_bytes >= 32 * 16 + 16 * 4
    assert image.size.flash_bytes < image.flash_bytes == len(flash_content(read_elf(image.path)))


def test_optimize_flash_makes_less_code(tmp_path: Path):
    sizes = {
        optimize: build_image(
            library_for(dense_model(), board(), optimize=optimize),
            board(),
            tmp_path / f"{optimize}.elf",
            target="a board",
            optimize=optimize,
        ).size.code_bytes
        for optimize in ("speed", "flash")
    }

    assert sizes["flash"] < sizes["speed"]


@pytest.mark.parametrize(
    ("memory", "sizes", "largest"),
    [
        ("flash", {"flash_bytes": 4096}, "code"),
        ("RAM", {"ram_bytes": 2048}, "stack"),
    ],
)
def test_image_that_is_too_big_is_refused_by_section(tmp_path: Path, memory: str, sizes: dict[str, int], largest: str):
    with pytest.raises(
        UnsupportedError, match=rf"does not fit the test's board: {memory} needs [\d,]+ bytes"
    ) as caught:
        image_for(dense_model(), board(**sizes), tmp_path / "image.elf")

    told = caught.value.details
    assert told["need_bytes"] == sum(told["sections"].values()) > told["have_bytes"] == next(iter(sizes.values()))
    assert max(told["sections"], key=told["sections"].get) == largest
    assert not (tmp_path / "image.elf").exists()


def test_image_that_fits_exactly_is_taken(tmp_path: Path):
    need = image_for(dense_model(), board(), tmp_path / "image.elf")

    tight = board(flash_bytes=need.flash_bytes, ram_bytes=need.ram_bytes)

    assert image_for(dense_model(), tight, tmp_path / "tight.elf").sha256 == need.sha256
    with pytest.raises(UnsupportedError, match="RAM needs"):
        image_for(dense_model(), board(ram_bytes=need.ram_bytes - 4), tmp_path / "none.elf")


def test_code_that_the_compiler_refuses_is_a_bug(tmp_path: Path):
    library = library_for(dense_model(), board())
    broken = replace(library, files={**library.files, "model.c": "int x = y;\n"})

    with pytest.raises(InternalError, match=r"arm-none-eabi-gcc .* failed"):
        build_image(broken, board(), tmp_path / "image.elf", target="a board")


def test_uart_needs_one_that_is_known(tmp_path: Path):
    with pytest.raises(UnsupportedError, match="no UART"):
        image_for(dense_model(), replace(board(), machine="netduinoplus2"), tmp_path / "image.elf", uart=True)


@pytest.mark.parametrize("target", CORES)
def test_both_compilers_know_the_core(target: str):
    need_board_tools("gcc", "zig")
    known = board(target)

    flags = {name: find_toolchain(name).flags(known, "speed") for name in ("gcc", "zig")}

    assert f"-mcpu={known.core}" in flags["gcc"]
    assert any(flag.startswith(f"-mcpu={known.core.replace('-', '_')}") for flag in flags["zig"])
    assert ("-mfloat-abi=hard" in flags["gcc"]) == (known.fpu != "none")
    assert ("thumb-freestanding-eabihf" in flags["zig"]) == (known.fpu != "none")


@pytest.mark.parametrize("core", ["cortex-m0plus", "cortex-m4"])
def test_harness_is_free_of_warnings(tmp_path: Path, core: str):
    library = library_for(dense_model(), board())
    for name, text in library.files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    warnings = ["-Wall", "-Wextra", "-Wconversion", "-Wsign-conversion", "-Werror", "-std=c99", "-ffreestanding"]
    command = [*find_toolchain("gcc").command, f"-mcpu={core}", "-mthumb", "-O2", *warnings, f"-I{tmp_path}", "-c"]

    said = [
        subprocess.run(
            [*command, "-DEDGEKIT_UART_BASE=0x40004000U", source, "-o", tmp_path / "object.o"],
            capture_output=True,
            text=True,
            timeout=60,
        ).stderr
        for source in sorted((ROOT / "device_agents" / "mcu").glob("*.c"))
    ]

    assert said == [""] * 7
