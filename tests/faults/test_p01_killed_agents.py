"""P1: killed at a system call."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from edgekit.selftest.lab import programs, recording, strace
from edgekit.selftest.lab.examiner import Examiner
from edgekit.selftest.lab.killing import NO_STRACE, Bench, kill, points
from edgekit.selftest.promise import Scale
from tests.faults.conftest import Holds

pytestmark = pytest.mark.skipif(not strace.is_there(), reason=NO_STRACE)


def test_agent_that_is_killed_leaves_the_old_release_or_the_new_one(holds: Holds) -> None:
    trial = holds("P1")

    assert trial.outcome.facts["ended_before"] == 0


@pytest.mark.full
def test_agent_that_is_killed_anywhere_leaves_the_old_release_or_the_new_one(holds: Holds) -> None:
    holds("P1", Scale.FULL)


def test_agent_that_copies_over_the_old_file_is_found_out(tmp_path: Path) -> None:
    program = programs.without_models(programs.rewritten(programs.with_copies().changes))
    scene = next(scene for scene in recording.scenes(program, tmp_path / "scenes") if scene.act.name == "rollback")
    writes = [
        point
        for point in points(program, scene, tmp_path)
        if point.call.name == "write" and point.call.path.endswith("/state.json")
    ]

    with Examiner(program.archive, tmp_path / "examiner") as examiner:
        bench = Bench(program=program, folder=tmp_path / "bench", examiner=examiner)
        found = [wrong for point in writes for wrong in kill(bench, point, signal.SIGKILL) or []]

    assert writes
    assert any("believes" in wrong for wrong in found)
