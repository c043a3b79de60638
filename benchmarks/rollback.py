"""How long the way back to the release before takes."""

from __future__ import annotations

import time
from dataclasses import dataclass
from statistics import median

from benchmarks._device import NAME, TARGET, compiled, emulated_pi
from benchmarks._figures import Figure, at_most, with_unit
from benchmarks._folders import EDGEKIT, edgekit, own_folders
from benchmarks._runs import timed
from edgekit.device.connect import connect
from edgekit.device.inventory import Inventory

RUNS = 5
GOAL_S = 2.0


@dataclass(frozen=True, kw_only=True)
class Rollback:
    """Raw figures: the whole command, and the agent's part of it (request to answer on an open connection)."""

    command_s: tuple[float, ...]
    device_s: tuple[float, ...]


def measure(runs: int) -> Rollback:
    """Deploy two releases, then go back and forth; in turn by the command and on an open connection."""
    command_s, device_s = [], []
    with own_folders() as folder, emulated_pi(folder):
        for recipe in ("dynamic", "int8"):
            edgekit("deploy", compiled(folder, recipe), "--target", TARGET, "--device", NAME, "--no-profile")
        with connect(Inventory.find().get(NAME)) as device:
            for _ in range(runs):
                started = time.perf_counter()
                device.rollback()
                device_s.append(time.perf_counter() - started)
                command_s.append(timed([*EDGEKIT, "rollback", "--device", NAME]).wall_s)
    return Rollback(command_s=tuple(command_s), device_s=tuple(device_s))


def figures(found: Rollback) -> tuple[Figure, ...]:
    """The rows."""
    return (
        at_most("`edgekit rollback` on an emulated rpi4, wall, median", median(found.command_s), GOAL_S, "s"),
        Figure(what="rollback, the device's part, median", value=with_unit(median(found.device_s), "s")),
    )
