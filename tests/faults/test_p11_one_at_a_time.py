"""P11: deploys at the same time are done one after the other."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.selftest.promise import Lab, Scale
from edgekit.selftest.promises import p11_one_at_a_time
from edgekit.selftest.promises.p11_one_at_a_time import Round
from tests.faults.conftest import Holds
from tests.faults.mutated_agent import Mutate, mutate

__all__ = ["mutate"]


def test_deploys_at_the_same_time_are_done_one_after_the_other(holds: Holds) -> None:
    trial = holds("P11")

    assert trial.outcome.facts["refused"], "nobody was in anybody's way"
    assert trial.outcome.facts["late_writers_refused"] == 3


@pytest.mark.full
def test_a_thousand_deploys_are_done_one_after_the_other(holds: Holds) -> None:
    holds("P11", Scale.FULL)


@pytest.mark.parametrize(
    ("old", "new", "word"),
    [
        ("fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)", "pass", ""),
        ("    if token != found.token or found.owner is None:\n", "    if False:\n", "lease"),
    ],
)
def test_experiment_fails_without_locks_or_tokens(
    mutate: Mutate, tmp_path: Path, old: str, new: str, word: str
) -> None:
    mutate(old, new)

    outcome = p11_one_at_a_time.PROMISE.run(Lab(folder=tmp_path))

    assert outcome.failures
    assert any(word in line for line in outcome.failures)


@pytest.mark.parametrize(
    ("accepted", "lost", "after", "is_one_after_the_other"),
    [
        ({}, set(), "a", True),
        ({"b": "a", "c": "b"}, set(), "c", True),
        ({"c": "b", "b": "a"}, set(), "c", True),
        ({"b": "a", "c": "a"}, set(), "c", False),
        ({"b": "a", "c": "b"}, set(), "b", False),
        ({"b": "a", "d": "x"}, {"x"}, "d", True),
        ({"b": "a", "d": "x"}, set(), "d", False),
        ({"b": "a"}, {"x"}, "x", True),
        ({"b": "a"}, {"x"}, "y", False),
    ],
)
def test_round_is_judged_by_its_chain(
    accepted: dict[str, str | None], lost: set[str], after: str, is_one_after_the_other: bool
) -> None:
    found = Round(before="a", accepted=accepted, lost=lost)

    assert (found.broken(after) is None) == is_one_after_the_other
