"""Cross compilers for Cortex-M, Debian's arm-none-eabi-gcc or zig from PyPI: what is there, and how to call it."""

from __future__ import annotations

import functools
import importlib.util
import os
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from edgekit.core.errors import DeadlineError, InternalError, UnsupportedError
from edgekit.core.target import Board

COMPILERS = {"gcc": "arm-none-eabi-gcc", "zig": "zig cc"}
REMEDY = "sudo apt-get install --no-install-recommends gcc-arm-none-eabi, or pip install 'edgekit-deploy[mcu]'"
_TIMEOUT_S = 300.0
_OPTIMIZE = {"speed": "-O2", "ram": "-O2", "flash": "-Os"}
_COMMON = (
    "-std=c99",
    "-ffreestanding",
    "-fno-strict-aliasing",
    "-fno-common",
    "-ffunction-sections",
    "-fdata-sections",
    "-g0",
)
_LIBRARIES: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "gcc": (("-fno-tree-loop-distribute-patterns", "-lgcc"),),  # or it would make memcpy of the loop that is memcpy
    "zig": ((), ("-lcompiler_rt",)),  # few images need it, and zig builds it anew for each core: 12 s
}
"""Last arguments of a link, to be tried one after the other."""

_GCC_FPU = {
    ("cortex-m4", "single"): "fpv4-sp-d16",
    ("cortex-m7", "single"): "fpv5-sp-d16",
    ("cortex-m7", "double"): "fpv5-d16",
    ("cortex-m33", "single"): "fpv5-sp-d16",
    ("cortex-m55", "double"): "auto",
}
_ZIG_FEATURES = {
    ("cortex-m7", "single"): "-fp64",
    ("cortex-m33", "single"): "+dsp",  # zig's default is without
    ("cortex-m33", "none"): "+dsp",
    ("cortex-m55", "double"): "+mve_fp+dsp",  # zig's default has neither; `+mve` alone leaves __ARM_FP undefined
}


@dataclass(frozen=True, kw_only=True)
class Toolchain:
    """One compiler that is there.

    Attributes:
        name: "gcc" or "zig".
        command: what runs it.
        version: of the compiler.
    """

    name: str
    command: tuple[str, ...]
    version: str

    @property
    def title(self) -> str:
        """As reports name it, e.g. "arm-none-eabi-gcc 12.2.1"."""
        return f"{COMPILERS[self.name]} {self.version}"

    def flags(self, board: Board, optimize: str) -> tuple[str, ...]:
        """What code generation depends on.

        Args:
            board: its core and its floating-point unit.
            optimize: "speed", "ram" or "flash".
        """
        return (*_CORE_FLAGS[self.name](board), _OPTIMIZE[optimize])

    def compile(self, source: Path, output: Path, flags: Sequence[str]) -> None:
        """Compile one file of a generated library.

        Raises:
            InternalError: the compiler refuses it.
            DeadlineError: it takes too long.
        """
        self._run([*flags, *_COMMON, "-c", source.name, "-o", str(output)], cwd=source.parent)

    def link(
        self, inputs: Sequence[Path], script: Path, output: Path, flags: Sequence[str], *, entry: str
    ) -> str | None:
        """Link objects, and sources that are compiled on the way.

        Args:
            inputs: objects and C files; headers are looked for in the script's folder too.
            script: linker script.
            output: ELF file.
            flags: as for compiling.
            entry: the symbol whose needs stay; all else is dropped.

        Returns:
            None, or what the linker said when it failed.

        Raises:
            DeadlineError: it takes too long.
        """
        arguments = [*flags, *_COMMON, "-I", str(script.parent), *map(str, inputs), "-o", str(output), "-nostdlib"]
        arguments += ["-Wl,--gc-sections", f"-Wl,-e,{entry}", f"-Wl,-T,{script}", "-Wl,--build-id=none"]
        refusal: str | None = None
        for libraries in _LIBRARIES[self.name]:
            try:
                self._run([*arguments, *libraries], cwd=script.parent)
            except InternalError as error:
                refusal = error.message
            else:
                return None
        return refusal

    def _run(self, arguments: Sequence[str], *, cwd: Path) -> None:
        env = {**os.environ, "LC_ALL": "C", "ZIG_LOCAL_CACHE_DIR": str(cwd / "zig-cache")}
        if self.name == "zig":  # keeps its run-time library there
            env["ZIG_GLOBAL_CACHE_DIR"] = str(_cache_dir() / "zig")
        try:
            done = subprocess.run(
                [*self.command, *arguments], cwd=cwd, env=env, capture_output=True, timeout=_TIMEOUT_S, check=False
            )
        except subprocess.TimeoutExpired as cause:
            raise DeadlineError(f"{self.title} took longer than {_TIMEOUT_S:.0f} s", hint="a smaller model") from cause
        if done.returncode != 0:
            said = done.stderr.decode(errors="replace").strip()[-1500:]
            raise InternalError(f"{self.title} failed ({done.returncode}): {said}", hint="report this with the model")


def _gcc_core(board: Board) -> tuple[str, ...]:
    fpu = _GCC_FPU.get((board.core, board.fpu))
    if fpu is None:
        return (f"-mcpu={board.core}", "-mthumb", "-mfloat-abi=soft")
    return (f"-mcpu={board.core}", "-mthumb", "-mfloat-abi=hard", f"-mfpu={fpu}")


def _zig_core(board: Board) -> tuple[str, ...]:
    abi = "eabi" if board.fpu == "none" else "eabihf"
    cpu = board.core.replace("-", "_") + _ZIG_FEATURES.get((board.core, board.fpu), "")
    # zig cc turns on traps for undefined behaviour by itself.
    return ("-target", f"thumb-freestanding-{abi}", f"-mcpu={cpu}", "-fno-sanitize=undefined", "-fno-builtin")


_CORE_FLAGS: Mapping[str, Callable[[Board], tuple[str, ...]]] = {"gcc": _gcc_core, "zig": _zig_core}


def _gcc() -> Toolchain | None:
    program = shutil.which(COMPILERS["gcc"])
    return (
        None
        if program is None
        else Toolchain(name="gcc", command=(program,), version=_said(program, "-dumpfullversion"))
    )


def _zig() -> Toolchain | None:
    spec = importlib.util.find_spec("ziglang")
    if spec is None or spec.origin is None:
        return None
    program = str(Path(spec.origin).with_name("zig"))
    return Toolchain(name="zig", command=(program, "cc"), version=_said(program, "version"))


def _cache_dir() -> Path:
    """$EDGEKIT_CACHE_DIR, or the user's cache folder."""
    chosen = os.environ.get("EDGEKIT_CACHE_DIR")
    return Path(chosen) if chosen else platformdirs.user_cache_path("edgekit")


def _said(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout.strip()


@functools.cache
def toolchains() -> tuple[Toolchain, ...]:
    """The compilers that are there, best known first."""
    return tuple(found for found in (_gcc(), _zig()) if found is not None)


def versions() -> dict[str, str]:
    """Name to version of each that is there."""
    return {found.name: found.version for found in toolchains()}


def find_toolchain(name: str = "auto") -> Toolchain:
    """The compiler to use.

    Args:
        name: "gcc", "zig", or "auto" for the first that is there.

    Raises:
        UnsupportedError: it is not there.
    """
    for found in toolchains():
        if name in ("auto", found.name):
            return found
    what = COMPILERS.get(name, "compiler for Cortex-M")
    raise UnsupportedError(f"no {what} on this computer", hint=REMEDY)
