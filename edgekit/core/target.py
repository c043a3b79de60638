"""A kind of machine as data: what it can run, how much it holds, and where each number comes from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self


@dataclass(frozen=True, kw_only=True)
class Budgets:
    """Limits that an artifact has to keep; None means no limit."""

    flash_bytes: int | None = None
    ram_bytes: int | None = None
    latency_p90_ns: int | None = None
    accuracy_drop: float | None = None


@dataclass(frozen=True, kw_only=True)
class Runtime:
    """An inference runtime as it is found on a target.

    Attributes:
        name: the runner's name, e.g. "litert".
        formats: artifact formats that it loads.
        dtypes: tensor types that its kernels take.
        delegates: accelerated back ends, e.g. "xnnpack".
        unsupported_ops: op names that it is known to refuse.
        max_op_versions: highest version of an op that it has, where that is known to bite.
        compiles: artifact formats that edgekit makes into one of `formats` by itself.
    """

    name: str
    formats: frozenset[str]
    dtypes: frozenset[str]
    delegates: tuple[str, ...] = ()
    unsupported_ops: frozenset[str] = frozenset()
    max_op_versions: Mapping[str, int] = field(default_factory=dict)
    compiles: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class EmulatedMachine:
    """How to emulate one machine of this target.

    Attributes:
        cpu: QEMU's name of the core.
        cores, ram_bytes: as the machine has them.
        disk_bytes: free space on its disk.
        model: what its device tree says.
        suite: the Debian release that it runs.
        runtimes: names of the runners that come with its system, as a phone's app brings its runtime.
    """

    cpu: str
    cores: int
    ram_bytes: int
    disk_bytes: int
    model: str
    suite: str
    runtimes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class MemoryRegion:
    """A piece of address space."""

    base: int
    size_bytes: int


_HELIUM_CORES = frozenset({"cortex-m55", "cortex-m85"})
_DSP_CORES = frozenset({"cortex-m4", "cortex-m7", "cortex-m33", *_HELIUM_CORES})


@dataclass(frozen=True, kw_only=True)
class Board:
    """A microcontroller board: no operating system, one program in flash.

    Attributes:
        title: what people call it.
        core: as compilers name it, e.g. "cortex-m4".
        fpu: "none", "single" or "double" precision.
        clock_hz: highest clock of the core.
        flash, ram: what a program may use, at the chip's addresses; where a chip has several memories, the one that
            the target's file names.
        machine: machine of qemu-system-arm that plays it; None: it is not emulated.
    """

    title: str
    core: str
    fpu: str
    clock_hz: int
    flash: MemoryRegion
    ram: MemoryRegion
    machine: str | None

    @classmethod
    def from_json(cls, given: Mapping[str, Any]) -> Self:
        """The board that `dataclasses.asdict` took apart."""
        return cls(**{**given, "flash": MemoryRegion(**given["flash"]), "ram": MemoryRegion(**given["ram"])})

    @property
    def dsp(self) -> bool:
        """Whether the core has the 16-bit multiply-accumulate instructions of Armv7E-M (SMLAD)."""
        return self.core in _DSP_CORES

    @property
    def mve(self) -> bool:
        """Whether the core has the vector extension of Armv8.1-M (Helium)."""
        return self.core in _HELIUM_CORES


@dataclass(frozen=True, kw_only=True)
class Target:
    """A kind of machine.

    Attributes:
        name: what `--target` takes.
        title: what people call it.
        arch: as `uname -m` prints it; "any" for the host.
        cpu: core, as compilers name it.
        cores: number of them.
        ram_bytes, flash_bytes: memory and storage of the machine.
        runtimes: by name, best first.
        recipe: the recipe when the user names none.
        recipes: the same by the format of the user's model, where another one is better than `recipe`.
        budgets: default limits.
        emulator: how to emulate it, None when that is not possible.
        board: what a microcontroller is; None for machines with an operating system.
        sources: dotted key to where its number comes from.
    """

    name: str
    title: str
    arch: str
    cpu: str
    cores: int
    ram_bytes: int | None
    flash_bytes: int | None
    runtimes: Mapping[str, Runtime]
    recipe: str
    budgets: Budgets
    emulator: EmulatedMachine | None
    sources: Mapping[str, str]
    recipes: Mapping[str, str] = field(default_factory=dict)
    board: Board | None = None

    @property
    def is_played(self) -> bool:
        """Whether the agent runs on another machine: this one for the host, and beside the emulator for a board."""
        return self.arch == "any" or self.board is not None

    def recipe_for(self, source_format: str) -> str:
        """The recipe for a model of this format when the user names none."""
        return self.recipes.get(source_format, self.recipe)

    def runtime_for(self, artifact_format: str) -> Runtime | None:
        """The best runtime that loads a format, or None."""
        return self._first(lambda runtime: artifact_format in runtime.formats)

    def compiler_for(self, artifact_format: str) -> Runtime | None:
        """The best runtime whose files are compiled from a format, or None."""
        return self._first(lambda runtime: artifact_format in runtime.compiles)

    def _first(self, suits: Callable[[Runtime], bool]) -> Runtime | None:
        return next((runtime for runtime in self.runtimes.values() if suits(runtime)), None)
