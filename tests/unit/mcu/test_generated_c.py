"""The generated C of every operator passes what firmware projects demand: both compilers, all cores, static analysis."""

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
_ZIG = (sys.executable, "-m", "ziglang", "cc", "-target", "thumb-freestanding-eabihf", "-fno-sanitize=undefined")
_CORES = (Core(name="cortex-m0plus"), Core(name="cortex-m4", dsp=True))


def _source(folder: Path, core: Core) -> Path:
    """One model of each generator in one file."""
    models = [draw(name, 0).model for name in generators()]
    return merged_source([compile_model(model, core, name=f"m{at}") for at, model in enumerate(models)], folder)


def _run(command: Sequence[str | Path]) -> str:
    ran = subprocess.run(command, capture_output=True, text=True, timeout=300)
    return "" if ran.returncode == 0 else f"{ran.returncode}: {ran.stderr[:3000]}{ran.stdout[:1000]}"


@pytest.mark.skipif(shutil.which(_GCC[0]) is None, reason="apt-get install gcc-arm-none-eabi")
@pytest.mark.parametrize("core", _CORES, ids=lambda core: core.name)
def test_gcc_takes_the_generated_c_without_a_warning(tmp_path: Path, core: Core) -> None:
    source = _source(tmp_path, core)

    assert _run([*_GCC, f"-mcpu={core.name}", *_FREESTANDING, source, "-o", tmp_path / "m.o"]) == ""


@pytest.mark.skipif(find_spec("ziglang") is None, reason="pip install ziglang")
@pytest.mark.parametrize("core", _CORES, ids=lambda core: core.name)
def test_zig_takes_the_generated_c_without_a_warning(tmp_path: Path, core: Core) -> None:
    source = _source(tmp_path, core)

    cpu = f"-mcpu={core.name.replace('-', '_')}"
    assert _run([*_ZIG, cpu, *_FREESTANDING, source, "-o", tmp_path / "m.o"]) == ""


@pytest.mark.skipif(shutil.which("cppcheck") is None, reason="apt-get install cppcheck")
@pytest.mark.parametrize("core", _CORES, ids=lambda core: core.name)
def test_cppcheck_finds_nothing_in_the_generated_c(tmp_path: Path, core: Core) -> None:
    source = _source(tmp_path, core)

    checks = ("--enable=warning,performance,portability", "--std=c99", "--error-exitcode=1", "--quiet")
    assert _run(["cppcheck", *checks, source]) == ""


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
