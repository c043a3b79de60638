"""P7: no way back by replay. And the experiment sees agents whose floor can be passed, or lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.selftest.promise import Lab
from edgekit.selftest.promises.p07_no_way_back import PROMISE
from tests.faults.conftest import Holds
from tests.faults.mutated_agent import Mutate, mutate

__all__ = ["mutate"]


def test_older_releases_do_not_come_back(holds: Holds) -> None:
    holds("P7")


def found_out(mutate: Mutate, folder: Path, old: str, new: str, seen: str) -> None:
    mutate(old, new)

    found = PROMISE.run(Lab(folder=folder))

    assert any(seen in line for line in found.failures), found.failures


def test_agent_that_forgets_the_signed_counter_is_found_out(mutate: Mutate, tmp_path: Path) -> None:
    found_out(mutate, tmp_path, "    return int(counter)\n", "    return 0\n", "as it is: the floor")


@pytest.mark.full
@pytest.mark.parametrize(
    ("old", "new", "seen"),
    [
        (
            "    return int(counter)\n",
            '    return int(counter) if "device" in statement["audience"] else 0\n',
            "as it is: the floor",
        ),
        ("return trust.counter_of(", "return 0 * trust.counter_of(", "state.json and floor.json lost"),
        ("policy.serial <= present.serial", "False", "an older reset"),
        ("policy.device != present.device", "False", "a reset for another device"),
        ("            self._save(rollback_floor=policy.floor)\n", "            pass\n", "the floor after it"),
    ],
)
def test_weaker_agent_is_found_out(mutate: Mutate, tmp_path: Path, old: str, new: str, seen: str) -> None:
    found_out(mutate, tmp_path, old, new, seen)
