"""Measurements that are disturbed on purpose: none may be called valid.

Each run starts undisturbed; from its third process on something happens. On this computer that is other work, and
deploys to another device. An emulated Raspberry Pi tells that it is throttled, hot, capped or swapping, or that its
clock was set, and its emulator shares the processor with other work.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from benchmarks._device import NAME, emulated_pi
from benchmarks._disturb import TALES, background_deploys, cpu_hogs, make_clock_steppable, told_by_device
from benchmarks._figures import Figure
from benchmarks._folders import edgekit, own_folders
from benchmarks._sessions import EMULATED, LOCAL, chains, gate_plan, in_turn
from edgekit.core.device_entry import DeviceEntry
from edgekit.core.measurement import Measurement, Validity
from edgekit.device.inventory import Inventory

RUNS = 4
"""Of each kind of disturbance."""

_NOTHING = "nothing"
_PROCESSES, _FROM, _SECONDS, _STEADY_CAP_S = 6, 2, 0.5, 3.0
_LAYERS = 20
_OF_ANY_EMULATOR = {Validity.EMULATED}

Disturbance = Callable[[], AbstractContextManager[None]]


@dataclass(frozen=True, kw_only=True)
class Disturbed:
    """One run.

    Attributes:
        device, kind: where, and what happened.
        flags: of the measurement.
        reasons: of its doubts.
    """

    device: str
    kind: str
    flags: tuple[str, ...]
    reasons: tuple[str, ...]

    @property
    def is_seen(self) -> bool:
        """Whether a flag tells of it: an emulated device's numbers have one anyway."""
        return bool({Validity(flag) for flag in self.flags} - _OF_ANY_EMULATOR - {Validity.VALID})


@dataclass(frozen=True, kw_only=True)
class Disturbances:
    """Raw figures."""

    runs: tuple[Disturbed, ...]


def measure(runs: int) -> Disturbances:
    """Disturb so many runs in each way, and let as many alone."""
    found: list[Disturbed] = []
    (model,), (small_model,) = chains([_LAYERS], LOCAL), chains([_LAYERS], EMULATED)
    with own_folders() as folder:
        other = folder / "other.edgekit"
        made = ["--target", "host", "--recipe", "float32", "--output", other]
        edgekit("compile", model.with_suffix(".keras"), *made)
        local = DeviceEntry(name="this computer", url=f"local://{folder / 'local-device'}")
        here: dict[str, Disturbance] = {
            _NOTHING: nullcontext,
            "one program on each core": partial(cpu_hogs, 1),
            "three programs on each core": partial(cpu_hogs, 3),
            "deploys to another device": partial(background_deploys, other, folder / "other-device"),
        }
        found += [_run(local, model, kind, start) for kind, start in here.items() for _ in range(runs)]
        with emulated_pi(folder) as pi:
            make_clock_steppable(pi)
            entry = Inventory.find().get(NAME)
            there: dict[str, Disturbance] = {
                _NOTHING: nullcontext,
                "two programs on each core": partial(cpu_hogs, 2),
                **{kind: partial(told_by_device, pi, script) for kind, script in TALES.items()},
            }
            found += [_run(entry, small_model, kind, start) for kind, start in there.items() for _ in range(runs)]
    return Disturbances(runs=tuple(found))


def _run(entry: DeviceEntry, model: Path, kind: str, start: Disturbance) -> Disturbed:
    plan = replace(gate_plan(seconds=_SECONDS), steady_cap_s=_STEADY_CAP_S)
    with ExitStack() as stack:

        def before(number: int) -> None:
            if number == _FROM:
                stack.enter_context(start())

        found: Measurement = in_turn(entry, [model], plan=plan, processes=_PROCESSES, before=before)[0]
    return Disturbed(
        device=entry.name,
        kind=kind,
        flags=tuple(map(str, found.validity)),
        reasons=tuple(doubt.reason for doubt in found.doubts if doubt.flag not in _OF_ANY_EMULATOR),
    )


def figures(found: Disturbances) -> tuple[Figure, ...]:
    """The rows."""
    disturbed = [run for run in found.runs if run.kind != _NOTHING]
    quiet = [run for run in found.runs if run.kind == _NOTHING]
    valid = sum(not run.is_seen for run in disturbed)
    return (
        Figure(
            what=f"of {len(disturbed)} disturbed runs, called valid (or, if emulated, nothing but that)",
            value=f"{valid}",
            goal="none of at least 30",
            met=not valid and len(disturbed) >= 30,
        ),
        Figure(
            what=f"of {len(quiet)} undisturbed runs, called valid (or, if emulated, nothing but that)",
            value=f"{sum(not run.is_seen for run in quiet)}",
            note="; ".join(reason for run in quiet for reason in run.reasons),
        ),
    )


def tables(found: Disturbances) -> str:
    """What each kind of disturbance was called."""
    lines = ["| device | disturbance | runs | not seen | flags | one of the reasons |", "|---|---|---|---|---|---|"]
    for device, kind in dict.fromkeys((run.device, run.kind) for run in found.runs):
        runs = [run for run in found.runs if (run.device, run.kind) == (device, kind)]
        flags = Counter(flag for run in runs for flag in run.flags)
        told = ", ".join(f"{flag} {count}" for flag, count in flags.items())
        reason = next((reason for run in runs for reason in run.reasons), "")
        lines.append(
            f"| {device} | {kind} | {len(runs)} | {sum(not run.is_seen for run in runs)} | {told} | {reason} |"
        )
    return "\n".join(lines)
