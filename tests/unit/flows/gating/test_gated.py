"""How a gate measures on each kind of device."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.core.device_entry import DeviceEntry
from edgekit.flows.gating.gated import GateRequest
from edgekit.flows.measuring.modes import plan_for

BOARD = DeviceEntry(name="kitchen", url="ssh://pi@kitchen", target="rpi4")
EMULATED = DeviceEntry(name="pi", url="ssh://root@127.0.0.1:22", target="rpi4", emulator="user")
GATE = plan_for("gate")


@pytest.mark.parametrize(("entry", "timed"), [(BOARD, False), (BOARD, True), (EMULATED, True)])
def test_times_that_are_judged_are_measured_by_the_plan(entry: DeviceEntry, timed: bool) -> None:
    assert GateRequest(model=Path("m.edgekit"), plan=GATE, times_emulators=timed).plan_on(entry) == GATE


def test_emulator_whose_counts_decide_is_measured_by_a_few_processes() -> None:
    plan = GateRequest(model=Path("m.edgekit"), plan=GATE).plan_on(EMULATED)

    assert plan.processes == 3
    assert plan.most_processes is None
    assert plan.instructions
    assert plan.seed == GATE.seed
