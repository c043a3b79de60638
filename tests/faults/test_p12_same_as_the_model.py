"""P12: a device does what a small model does."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from edgekit.selftest.promise import Lab, Scale
from edgekit.selftest.promises import p12_same_as_the_model
from tests.faults.conftest import Holds
from tests.faults.mutated_agent import Mutate, mutate

__all__ = ["mutate"]


def test_device_does_what_the_model_does(holds: Holds) -> None:
    trial = holds("P12")

    assert trial.outcome.facts["cut"], "nothing was cut off"


@pytest.mark.full
def test_device_does_what_the_model_does_for_days(holds: Holds) -> None:
    holds("P12", Scale.FULL)


def test_cut_that_leaves_a_trial_confirmed_is_one_of_both_states(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(p12_same_as_the_model, "_WEIGHTS", {"deploy": 3, "cut": 2})
    walk = p12_same_as_the_model.Walk(tmp_path / "device", random.Random(1))
    try:
        troubles = [trouble for _ in range(300) if (trouble := walk.step()) is not None]
    finally:
        walk.close()

    assert troubles == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("            previous=self._state.active,\n", "            previous=self._state.previous,\n"),
        ("*self._state.history[:keep], *self._state.pinned,", "*self._state.history[:keep],"),
        ("        failed = state.with_failure(failed, digest, reason)\n    elif", "        pass\n    elif"),
        ("            links.switch(self._root, before.active, before.previous)\n", "            pass\n"),
    ],
)
def test_walk_finds_a_device_that_does_something_else(mutate: Mutate, tmp_path: Path, old: str, new: str) -> None:
    mutate(old, new)

    outcome = p12_same_as_the_model.PROMISE.run(Lab(folder=tmp_path))

    assert outcome.failures
    assert outcome.cases < 2000
