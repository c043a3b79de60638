"""P8: a bad release takes itself back."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.selftest.lab import trials
from edgekit.selftest.promise import Lab, Scale
from edgekit.selftest.promises import p08_bad_model
from tests.faults.conftest import Holds
from tests.faults.mutated_agent import Mutate, mutate

__all__ = ["mutate"]


def test_bad_release_takes_itself_back(holds: Holds) -> None:
    trial = holds("P8")

    assert trial.outcome.cases == 33


@pytest.mark.full
def test_every_bad_release_takes_itself_back(holds: Holds) -> None:
    holds("P8", Scale.FULL)


def test_every_fault_comes_at_every_time(tmp_path: Path) -> None:
    sample, full = (p08_bad_model.cases(Lab(folder=tmp_path, scale=scale)) for scale in Scale)

    assert len({(case.fault, case.time) for case in sample}) == 33
    assert len(set(map(str, full))) == 99


MUTANTS = {
    "no watchdog": ("        if os.fork() == 0:\n            _wait(", "        if False:\n            _wait("),
    "no memory of failures": ("    if reason is not None and not retry and digest != stored.active:", "    if False:"),
}


@pytest.mark.parametrize("mutant", MUTANTS)
def test_experiment_fails_when_the_device_is_careless(
    mutate: Mutate, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, mutant: str
) -> None:
    mutate(*MUTANTS[mutant])
    monkeypatch.setattr(trials, "LIMIT_S", 2.5)
    monkeypatch.setattr(p08_bad_model, "LIMIT_S", 2.5)
    case = p08_bad_model.Case(fault="computes NaN", time="after", kind="kill")
    monkeypatch.setattr(p08_bad_model, "cases", lambda _: [case])

    outcome = p08_bad_model.PROMISE.run(Lab(folder=tmp_path))

    assert len(outcome.failures) == 1
