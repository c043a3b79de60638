"""P16: a fleet deploy leaves every device in a named state, and a bad release does not pass its canary."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.flows.fleet import rollout as rollout_module
from edgekit.flows.fleet import work as work_module
from edgekit.flows.fleet.member import Fault
from edgekit.selftest.lab.fleet import Trouble
from edgekit.selftest.promise import Scale
from edgekit.selftest.promises.p16_fleet import rollout
from tests.faults.conftest import Holds

FEW = [Trouble.NONE] * 3


def test_every_device_ends_in_a_named_state(holds: Holds) -> None:
    holds("P16")


@pytest.mark.full
def test_every_device_of_a_hundred_ends_in_a_named_state(holds: Holds) -> None:
    holds("P16", Scale.FULL)


def test_experiment_sees_a_bad_release_that_counts_for_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work_module, "fault_of", lambda *_: Fault.DEVICE)

    found = rollout(tmp_path / "run", "wrong outputs", FEW, seed=0)

    assert any("failed on []" in line for line in found), found


def test_experiment_sees_a_device_that_the_report_forgets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rollout_module._Rollout, "end", _forgetting(rollout_module._Rollout.end))

    found = rollout(tmp_path / "run", "wrong outputs", FEW, seed=0)

    assert any("the report names 2 devices of 3" in line for line in found), found


def test_experiment_sees_a_state_that_is_not_true(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work_module.MemberWork, "_look", lambda *_: None)

    found = rollout(tmp_path / "run", "good", [*FEW, Trouble.FULL], seed=0)

    assert any("(full) is unreachable" in line for line in found), found


def _forgetting(end):
    def forgetful(self, entries):
        rolled = end(self, entries)
        return rollout_module.replace(rolled, members=rolled.members[:-1])

    return forgetful
