"""The generated C of every operator passes what firmware projects demand: two compilers, all cores, static analysis."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import pytest

from edgekit.mcu.layer import Core
from tests.models.mcu_oracle import WARNINGS, compile_model, merged_source
from tests.unit.mcu.test_random_ops import draw, generators

_FREESTANDING = ("-ffreestanding", "-pedantic", "-c", "-O2", *WARNINGS)
_GCC = ("arm-none-eabi-gcc", "-mthumb")
_ZIG = (sys.executable, "-m", "ziglang", "cc", "-fno-sanitize=undefined")
_CPPCHECK = (
    "--enable=warning,performance,portability", "--std=c99", "--error-exitcode=1", "--quiet",
    "--suppress=shiftNegativeLHS",  # also meant for right shifts, which every compiler for Arm does arithmetically
)  # fmt: skip
_CORES = (
    Core(name="cortex-m0plus", optimize="ram"),
    Core(name="cortex-m4", dsp=True),
    Core(name="cortex-m55", dsp=True, mve=True, optimize="ram"),
)
_ZIG_FLAGS = {
    "cortex-m0plus": ("-target", "thumb-freestanding-eabi", "-mcpu=cortex_m0plus"),
    "cortex-m4": ("-target", "thumb-freestanding-eabihf", "-mcpu=cortex_m4"),
    "cortex-m55": ("-target", "thumb-freestanding-eabihf", "-mcpu=cortex_m55+mve_fp+dsp"),
}
_GCC_FLAGS = {
    "cortex-m0plus": ("-mcpu=cortex-m0plus", "-mfloat-abi=soft"),
    "cortex-m4": ("-mcpu=cortex-m4", "-mfpu=fpv4-sp-d16", "-mfloat-abi=hard"),
    "cortex-m55": ("-mcpu=cortex-m55", "-mfloat-abi=hard"),
}


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """For each core one file with a model of each generator."""
    models = [draw(name, 0).model for name in generators()]

    def source(core: Core) -> Path:
        libraries = [compile_model(model, core, name=f"m{at}") for at, model in enumerate(models)]
        return merged_source(libraries, tmp_path_factory.mktemp(core.name))

    return {core.name: source(core) for core in _CORES}


def _run(command: Sequence[str | Path]) -> str:
    ran = subprocess.run(command, capture_output=True, text=True, timeout=300)
    return "" if ran.returncode == 0 else f"{ran.returncode}: {ran.stderr[:3000]}{ran.stdout[:1000]}"


@pytest.mark.skipif(shutil.which(_GCC[0]) is None, reason="apt-get install gcc-arm-none-eabi")
@pytest.mark.parametrize("core", _GCC_FLAGS)
def test_gcc_takes_the_generated_c_without_a_warning(sources: dict[str, Path], tmp_path: Path, core: str) -> None:
    assert _run([*_GCC, *_GCC_FLAGS[core], *_FREESTANDING, sources[core], "-o", tmp_path / "m.o"]) == ""


@pytest.mark.skipif(find_spec("ziglang") is None, reason="pip install ziglang")
@pytest.mark.parametrize("core", _ZIG_FLAGS)
def test_zig_takes_the_generated_c_without_a_warning(sources: dict[str, Path], tmp_path: Path, core: str) -> None:
    assert _run([*_ZIG, *_ZIG_FLAGS[core], *_FREESTANDING, sources[core], "-o", tmp_path / "m.o"]) == ""


@pytest.mark.skipif(shutil.which("cppcheck") is None, reason="apt-get install cppcheck")
@pytest.mark.parametrize("core", ["cortex-m4", "cortex-m55"])
def test_cppcheck_finds_nothing_in_the_generated_c(sources: dict[str, Path], core: str) -> None:
    assert _run(["cppcheck", *_CPPCHECK, sources[core]]) == ""


def test_the_header_is_safe_for_cpp_and_names_the_signature() -> None:
    library = compile_model(draw("conv_2d", 0).model, Core(name="host"), name="first")

    header = library.files["first.h"]

    assert 'extern "C"' in header
    assert re.search(r"#define FIRST_ARENA_BYTES \d+", header)
    assert re.search(r"#define FIRST_INPUT_0_SCALE \S+", header)


def test_the_same_model_gives_the_same_bytes() -> None:
    model = draw("conv_2d", 0).model

    first, second = (compile_model(model, Core(name="host")).files for _ in range(2))

    assert first == second
