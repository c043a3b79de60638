"""Processes of one or more artifacts on one device, taken in turn with edgekit's own measuring session."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks._device import NAME, TARGET, emulated_pi
from benchmarks._folders import ROOT, edgekit, own_folders
from edgekit.config.targets import load_target
from edgekit.core.dataset import Dataset
from edgekit.core.device_entry import DeviceEntry
from edgekit.core.events import ignore
from edgekit.core.measurement import Measurement, Plan
from edgekit.device.connect import connect
from edgekit.device.inventory import Inventory
from edgekit.flows.measuring.modes import plan_for
from edgekit.flows.measuring.session import MeasuringSession
from edgekit.flows.measuring.side import side_of
from edgekit.flows.runtime import ensure_runtime
from edgekit.flows.subject import from_file
from edgekit.flows.workspace import workspace

LOCAL, EMULATED = "local", "emulated"
_SIDE, _EMULATED_SIDE = 24, 8
"""Pixels of the models' layers: about 1 ms a call on a fast computer; an emulator takes some ten times as long."""

_CHAIN_MODELS = Path(__file__).with_name("_chain_models.py")


def gate_plan(*, seconds: float = 2.0) -> Plan:
    """Processes as a gate takes them, without what is measured beside the latency, and without waiting."""
    plan = plan_for("gate")
    return replace(plan, min_seconds=seconds, operators=False, instructions=False, stages=False, wait_s=0.0)


def chains(counts: Sequence[int], device: str) -> list[Path]:
    """Bundles of float models of so many equal layers each, for the Raspberry Pi 4; this computer runs them too.

    They are made at the first use, then kept in build/.

    Args:
        counts: layers of each model.
        device: as `device_of` takes it; an emulated one gets smaller layers.
    """
    side = _EMULATED_SIDE if device == EMULATED else _SIDE
    kept = ROOT / "build" / "bench"
    bundles = [kept / f"chain-{count}-{side}.edgekit" for count in counts]
    if not all(bundle.is_file() for bundle in bundles):
        kept.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, str(_CHAIN_MODELS), str(kept), str(side), *map(str, counts)]
        subprocess.run(command, check=True, capture_output=True, timeout=600)
        with own_folders():
            for bundle in bundles:
                model = bundle.with_suffix(".keras")
                edgekit("compile", model, "--target", TARGET, "--recipe", "float32", "--output", bundle)
    return bundles


@contextmanager
def device_of(name: str) -> Iterator[DeviceEntry]:
    """A device for a benchmark, in folders of the benchmark's own.

    Args:
        name: `LOCAL` for this computer, `EMULATED` for a Raspberry Pi 4 that is brought up for it, else a name of the
            user's inventory or a URL.

    Raises:
        CannotRun: nothing can be emulated here.
    """
    users = None if name in (LOCAL, EMULATED) else Inventory.find().get(name)
    known_hosts = os.environ.get("EDGEKIT_KNOWN_HOSTS")
    with own_folders() as folder:
        if users is not None:
            os.environ.pop("EDGEKIT_KNOWN_HOSTS")
            os.environ.update({"EDGEKIT_KNOWN_HOSTS": known_hosts} if known_hosts else {})
            yield users
        elif name == LOCAL:
            yield DeviceEntry(name=LOCAL, url=f"local://{folder / 'local-device'}")
        else:
            with emulated_pi(folder):
                yield Inventory.find().get(NAME)


def in_turn(
    entry: DeviceEntry,
    models: Sequence[Path],
    *,
    plan: Plan,
    processes: int,
    before: Callable[[int], None] = lambda _: None,
    seed: int = 0,
) -> tuple[Measurement, ...]:
    """Measure models in blocks of one process each, in random order.

    Args:
        entry: the device.
        models: bundles for `TARGET`.
        plan: how each process measures.
        processes: of each model.
        before: is called before each block with its number.
        seed: of the order and of the inputs.
    """
    generator = np.random.default_rng(seed)
    with workspace(ignore) as tools, connect(entry) as device:
        sides = []
        for model in models:
            subject = from_file(model, load_target(TARGET), tools)
            ensure_runtime(device, subject.runtime, offline=False, tools=tools)
            subject.stage(device, tools)
            shape = subject.inputs[0].shape[1:]
            data = Dataset(name="images", inputs=(generator.random((32, *shape), dtype=np.float32),))
            sides.append(side_of(device, subject, plan, data, tools))
        with MeasuringSession(device, entry, plan, sides, tools) as session:
            for number in range(processes):
                before(number)
                session.block([sides[place] for place in generator.permutation(len(sides))])
            return session.finish()
