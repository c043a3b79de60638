"""Kinds of machine, one TOML file each: `targets/<name>.toml`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from edgekit.config._fields import BudgetsSection, Count, Dtype, File, Section, Size, Text, Word
from edgekit.config._shelf import Shelf
from edgekit.config._toml import read_toml, validate
from edgekit.core.firmware import MACHINES
from edgekit.core.target import Board, Budgets, EmulatedMachine, MemoryRegion, Runtime, Target

_PACKAGE = Path(__file__).parents[1]
_SHELF = Shelf(kind="target", subfolder="targets", built_in=(_PACKAGE / "_targets", _PACKAGE.parent / "targets"))
_THIS_MACHINE = "any"


class RuntimeSection(Section):
    """An inference runtime that is found on the target."""

    formats: tuple[Word, ...] = Field(min_length=1, description="artifact formats that it loads")
    dtypes: tuple[Dtype, ...] = Field(min_length=1, description="tensor types that its kernels take")
    delegates: tuple[Word, ...] = Field(default=(), description="accelerated back ends")
    unsupported_ops: tuple[Word, ...] = Field(default=(), description="ops that it is known to refuse")
    max_op_versions: dict[Word, Count] = Field(default={}, description="highest version of an op that it has")
    compiles: tuple[Word, ...] = Field(default=(), description="formats that edgekit compiles into one of `formats`")


class EmulatorSection(Section):
    """How to emulate one machine of the target."""

    cpu: Word = Field(description="QEMU's name of the core")
    cores: Count
    ram: Size
    disk: Size = Field(description="free space on the emulated disk")
    model: Text = Field(description="what its device tree says")
    suite: Word = Field(description="the Debian release that it runs")
    runtimes: tuple[Word, ...] = Field(
        default=(), description="runtimes that come with its system; the others are brought when they are needed"
    )


Address = Annotated[int, Field(strict=True, ge=0, lt=2**32)]


class RegionSection(Section):
    """A memory of a microcontroller."""

    base: Address = Field(description="its first address")
    size: Size


class BoardSection(Section):
    """A microcontroller: no operating system, one program in flash."""

    fpu: Literal["none", "single", "double"] = Field(description="precision of its floating-point unit")
    clock_hz: Count = Field(description="highest clock of the core")
    flash: RegionSection = Field(description="where a program lies")
    ram: RegionSection = Field(description="where its variables and its stack lie")
    machine: Literal[*MACHINES] | None = Field(  # type: ignore[valid-type]  # the table's keys
        default=None, description="the machine of qemu-system-arm that plays it"
    )


class TargetFile(File):
    """A kind of machine; each number in it needs an entry in `sources`."""

    title: Text = Field(description="what people call it")
    arch: Word = Field(description='as `uname -m` prints it; "any" for the machine that edgekit runs on')
    cpu: Word = Field(description="the core, as compilers name it")
    cores: Count | None = Field(default=None, description='left out only with arch = "any"')
    ram: Size | None = Field(default=None, description="memory of the machine")
    flash: Size | None = Field(default=None, description="storage of the machine, where the kind of machine settles it")
    recipe: Word = Field(description="the recipe when the user names none")
    recipes: dict[Word, Word] = Field(
        default={}, description="the same by the format of the model, where another recipe suits it better"
    )
    runtimes: dict[Word, RuntimeSection] = Field(min_length=1, description="by name, best first")
    budgets: BudgetsSection = BudgetsSection()
    emulator: EmulatorSection | None = None
    board: BoardSection | None = Field(
        default=None, description="of a microcontroller; its flash and RAM are those of the target"
    )
    sources: dict[Text, Text] = Field(default={}, description="dotted key to where its number comes from")

    @model_validator(mode="after")
    def _cores_are_known(self) -> Self:
        if self.cores is None and self.arch != _THIS_MACHINE:
            raise ValueError(f'cores is missing; only arch = "{_THIS_MACHINE}" may leave it out')
        return self

    @model_validator(mode="after")
    def _sizes_are_said_once(self) -> Self:
        if self.board is not None and (self.ram or self.flash):
            raise ValueError("ram and flash of a target with [board] are those of the board: leave them out")
        return self


def load_target(name_or_path: str | Path, *, project_dir: Path | None = None) -> Target:
    """Read a target.

    Args:
        name_or_path: a name, looked up in `targets/` of the project, then of the user's folder, then of edgekit;
            or the path of a file.
        project_dir: the project's folder, None for none.

    Raises:
        ConfigurationError: there is no such target, or its file is wrong.
        InputError: the path is not a readable file.
    """
    path = _SHELF.find(name_or_path, project_dir)
    return _target(path.stem, validate(TargetFile, read_toml(path, what="target")))


def list_targets(*, project_dir: Path | None = None) -> list[str]:
    """Names of all targets, sorted; reads no file."""
    return list(_SHELF.files(project_dir))


def _target(name: str, file: TargetFile) -> Target:
    emulator, board = file.emulator, _board(file)
    return Target(
        name=name,
        title=file.title,
        arch=file.arch,
        cpu=file.cpu,
        cores=file.cores or len(os.sched_getaffinity(0)),
        ram_bytes=board.ram.size_bytes if board else file.ram,
        flash_bytes=board.flash.size_bytes if board else file.flash,
        runtimes={name: _runtime(name, section) for name, section in file.runtimes.items()},
        recipe=file.recipe,
        recipes=file.recipes,
        budgets=budgets_of(file.budgets),
        emulator=None
        if emulator is None
        else EmulatedMachine(
            cpu=emulator.cpu,
            cores=emulator.cores,
            ram_bytes=emulator.ram,
            disk_bytes=emulator.disk,
            model=emulator.model,
            suite=emulator.suite,
            runtimes=emulator.runtimes,
        ),
        sources=file.sources,
        board=board,
    )


def _board(file: TargetFile) -> Board | None:
    section = file.board
    if section is None:
        return None
    return Board(
        title=file.title,
        core=file.cpu,
        fpu=section.fpu,
        clock_hz=section.clock_hz,
        flash=MemoryRegion(base=section.flash.base, size_bytes=section.flash.size),
        ram=MemoryRegion(base=section.ram.base, size_bytes=section.ram.size),
        machine=section.machine,
    )


def _runtime(name: str, section: RuntimeSection) -> Runtime:
    return Runtime(
        name=name,
        formats=frozenset(section.formats),
        dtypes=frozenset(section.dtypes),
        delegates=section.delegates,
        unsupported_ops=frozenset(section.unsupported_ops),
        max_op_versions=section.max_op_versions,
        compiles=frozenset(section.compiles),
    )


def budgets_of(section: BudgetsSection) -> Budgets:
    """The limits that a `[budgets]` table sets."""
    return Budgets(
        flash_bytes=section.flash,
        ram_bytes=section.ram,
        latency_p90_ns=section.latency_p90,
        accuracy_drop=section.accuracy_drop,
    )
