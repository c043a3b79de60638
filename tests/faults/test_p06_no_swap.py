"""P6: no race between verification and use. And the experiment sees an agent that hashes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.selftest.promise import Lab, Scale
from edgekit.selftest.promises import p06_no_swap as p06
from tests.faults.conftest import Holds
from tests.faults.mutated_agent import Mutate, mutate

__all__ = ["mutate"]


def test_files_that_change_while_they_are_verified_change_nothing(holds: Holds) -> None:
    holds("P6")


@pytest.mark.full
def test_files_that_change_while_they_are_verified_change_nothing_in_full(holds: Holds) -> None:
    holds("P6", Scale.FULL)


def test_agent_that_does_not_hash_what_it_opened_is_found_out(
    mutate: Mutate, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    mutate("if hash_descriptor(descriptor).hexdigest() != digest:", "if False:")
    monkeypatch.setattr(p06.Lab, "many", lambda *_: 20)

    found = p06.PROMISE.run(Lab(folder=tmp_path))

    assert any("computes otherwise" in line for line in found.failures), found.failures
