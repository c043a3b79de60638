"""What the microcontroller benchmark found, and its tables: pure text, no measuring."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from benchmarks._mcu_board import Counted
from benchmarks._mcu_goals import MODELS
from benchmarks._mcu_own import CORES, HELIUM, M4, SETTINGS
from benchmarks._runs import Run

PORTABLE, CMSIS_NN = "bakenn portable", "bakenn + CMSIS-NN"
PEERS = (PORTABLE, CMSIS_NN)
_ZIG = f"{HELIUM} zig"


@dataclass(frozen=True, kw_only=True)
class Model:
    """One model everywhere.

    Attributes:
        macs: multiply-accumulates of one inference.
        tflm_arena_bytes: what tflite-micro's interpreter allocates on this computer.
        tflm_activation_bytes: the part of it for activations.
        settings: edgekit on a Cortex-M4, by setting of `--optimize`.
        cores: edgekit's setting "speed" on the other cores, by target; `cortex_m55 zig` by the other compiler.
        peers: on a Cortex-M4; empty where they are not installed.
    """

    macs: int
    tflm_arena_bytes: int
    tflm_activation_bytes: int
    settings: Mapping[str, Counted]
    cores: Mapping[str, Counted]
    peers: Mapping[str, Counted]

    @property
    def all_own(self) -> tuple[Counted, ...]:
        """Every image of edgekit's."""
        return (*self.settings.values(), *self.cores.values())


@dataclass(frozen=True, kw_only=True)
class Mcu:
    """Everything.

    Attributes:
        models: by short name.
        emulator: what played the boards.
        build: the compiler alone, KWS for a Cortex-M4, each in a fresh process.
        command: `edgekit compile` of the same with nothing cached: it also counts, asks the oracle and writes a bundle.
        lacks: what is not installed, so that cells are empty.
    """

    models: Mapping[str, Model]
    emulator: str
    build: tuple[Run, ...]
    command: tuple[Run, ...]
    lacks: tuple[str, ...]


def tables(found: Mcu) -> str:
    """Markdown: speed, memory and flash on a Cortex-M4, then speed by core."""
    parts = ["### Microcontrollers", _made_with(found), _speed(found), _ram(found), _flash(found), _cores(found)]
    parts += [f"Empty cells: {text}" for text in found.lacks]
    return "\n\n".join(parts)


def _made_with(found: Mcu) -> str:
    compilers = sorted({one.toolchain for model in found.models.values() for one in model.all_own})
    return f"Emulated by {found.emulator}, compiled by {' and '.join(compilers)}; speed, ram and flash are edgekit's."


def millions(number: float) -> str:
    """With three significant digits or two places: 0.283 M, 3.08 M, 14.72 M."""
    return f"{number / 1e6:.3f} M" if number < 1e6 else f"{number / 1e6:.2f} M"


def _speed(found: Mcu) -> str:
    def row(name: str, model: Model) -> list[str]:
        goals, low_high = MODELS[name], model.settings["speed"].cycles
        return [
            f"{model.macs / 1e6:.3f} M",
            *_cells(model.settings, SETTINGS, lambda one: millions(one.instructions)),
            f"{model.settings['speed'].instructions / model.macs:.2f}",
            *_cells(model.peers, PEERS[::-1], lambda one: millions(one.instructions)),
            millions(goals.must),
            millions(goals.goal),
            " to ".join(map(millions, low_high)),
            millions(goals.published_cycles),
        ]

    head = [
        "MACs",
        *SETTINGS,
        "speed, a MAC",
        *PEERS[::-1],
        "must",
        "goal",
        "cycles, estimated",
        "best published, cycles",
    ]
    return _table("Instructions of one inference, Cortex-M4", head, found, row)


def _ram(found: Mcu) -> str:
    def row(name: str, model: Model) -> list[str]:
        goals = MODELS[name]
        return [
            *_cells(model.settings, SETTINGS, lambda one: f"{one.ram_bytes:,}"),
            *_cells(model.peers, PEERS[::-1], lambda one: f"{one.ram_bytes:,}"),
            f"{model.tflm_arena_bytes:,} ({model.tflm_activation_bytes:,})",
            f"{goals.ram_must:,}",
            f"{goals.ram_goal:,}",
            " / ".join(_cells(model.settings, SETTINGS, lambda one: str(one.stack_bytes))),
            *_cells(model.peers, PEERS[-1:], lambda one: str(one.stack_bytes)),
        ]

    head = [*SETTINGS, *PEERS[::-1], "TFLM arena (activations)", "must", "goal", "stack", f"stack, {CMSIS_NN}"]
    return _table("Bytes of RAM with inputs, outputs and scratch, Cortex-M4", head, found, row)


def _flash(found: Mcu) -> str:
    def flash(one: Counted) -> str:
        return f"{one.flash_bytes:,} ({one.code_bytes:,})"

    def row(_name: str, model: Model) -> list[str]:
        return [*_cells(model.settings, SETTINGS, flash), *_cells(model.peers, PEERS[::-1], flash)]

    head = [*SETTINGS, *PEERS[::-1]]
    return _table("Bytes of flash (of them code), Cortex-M4, without startup and harness", head, found, row)


def _cores(found: Mcu) -> str:
    def row(name: str, model: Model) -> list[str]:
        every = {**model.cores, M4: model.settings["speed"]}
        counts = _cells(every, (*CORES, _ZIG), lambda one: millions(one.instructions))
        return [*counts, millions(MODELS[name].helium_goal)]

    head = [*(core.removeprefix("cortex_").replace("plus", "+").upper() for core in CORES), "M55, zig", "M55 goal"]
    return _table("Instructions of one inference by core, setting speed", head, found, row)


def _cells(found: Mapping[str, Counted], names: Sequence[str], text: Callable[[Counted], str]) -> list[str]:
    return [text(found[name]) if name in found else "" for name in names]


def _table(title: str, head: Sequence[str], found: Mcu, row: Callable[[str, Model], list[str]]) -> str:
    lines = [f"| {' | '.join([title, *head])} |", "|---" * (len(head) + 1) + "|"]
    lines += [f"| {' | '.join([name, *row(name, model)])} |" for name, model in found.models.items()]
    return "\n".join(lines)
