"""P14: wrong clocks; and the experiment finds an agent that looks at them, and a host that does not tell."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.flows import doctor
from edgekit.selftest.promise import Lab
from edgekit.selftest.promises import p14_clocks_do_not_matter as p14
from tests.faults.conftest import Holds
from tests.faults.mutated_agent import Mutate, mutate

__all__ = ["mutate"]


def test_wrong_clock_changes_nothing(holds: Holds) -> None:
    holds("P14")


@pytest.fixture
def only(monkeypatch: pytest.MonkeyPatch) -> None:
    """One clock and one flow."""
    monkeypatch.setattr(p14, "CLOCKS", {"set forward": p14.CLOCKS["set forward"]})
    monkeypatch.setattr(p14, "FLOWS", {"resume": p14.resume})


def test_agent_that_looks_at_the_wall_clock_is_found_out(mutate: Mutate, only: None, tmp_path: Path) -> None:
    mutate("time.CLOCK_BOOTTIME", "time.CLOCK_REALTIME")

    failures = p14.run(Lab(folder=tmp_path)).failures

    assert any("a duration of" in failure for failure in failures), failures


def test_clock_that_nobody_reports_is_found_out(monkeypatch: pytest.MonkeyPatch, only: None, tmp_path: Path) -> None:
    monkeypatch.setattr(doctor, "MOST_SKEW_S", 10**12)

    failures = p14.run(Lab(folder=tmp_path)).failures

    assert [failure.endswith("which is told as right") for failure in failures] == [True]


def test_agent_looks_at_the_wall_clock_in_one_place() -> None:
    """It tells the host what it sees there, and decides nothing by it; nor does it look at the times of files."""
    agent = Path(doctor.__file__).parents[2] / "device_agents" / "linux"
    words = ("time.time", "CLOCK_REALTIME", "localtime", "gmtime", "datetime", "st_mtime", "st_ctime", "getmtime")

    found = {
        (path.name, word) for path in agent.rglob("*.py") for word in words if word in path.read_text(encoding="utf-8")
    }

    assert found == {("conditions.py", "CLOCK_REALTIME")}
