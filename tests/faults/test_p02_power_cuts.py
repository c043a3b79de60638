"""P2, P2M and P4: the power fails; and the search for what it leaves can fail."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from edgekit.device.session import AgentProgram
from edgekit.selftest.lab import cutting, programs, recording, strace
from edgekit.selftest.lab.killing import NO_STRACE
from edgekit.selftest.promise import Scale
from edgekit.selftest.promises import p02m_missing_fsyncs
from tests.faults.conftest import Holds

pytestmark = pytest.mark.skipif(not strace.is_there(), reason=NO_STRACE)


def test_power_cut_leaves_the_old_release_or_the_new_one(holds: Holds) -> None:
    holds("P2")


@pytest.mark.full
@pytest.mark.timeout(3600)
def test_power_cut_at_any_moment_leaves_the_old_release_or_the_new_one(holds: Holds) -> None:
    holds("P2", Scale.FULL)


def test_every_missing_fsync_is_found(holds: Holds) -> None:
    holds("P2M")


def test_agent_with_all_its_fsyncs_is_not_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(p02m_missing_fsyncs, "_LIMIT", 4)

    assert not p02m_missing_fsyncs.is_found(AgentProgram.current(), tmp_path / "whole")


def test_answer_outlasts_a_power_cut(holds: Holds) -> None:
    holds("P4")


@pytest.mark.full
@pytest.mark.timeout(3600)
def test_every_answer_outlasts_a_power_cut(holds: Holds) -> None:
    holds("P4", Scale.FULL)


def test_work_of_an_agent_that_was_killed_is_lost_unless_it_is_made_to_last(tmp_path: Path) -> None:
    def settle_uploads_only(text: str) -> str:
        assert "(root.blobs, root.releases, root.path)" in text
        return text.replace("(root.blobs, root.releases, root.path)", "(root.blobs,)")

    program = programs.without_models(programs.rewritten({"links.py": settle_uploads_only}))
    scenes = [scene for scene in recording.scenes(program, tmp_path / "scenes") if scene.act.name == "upgrade"]
    places = [
        point for point in cutting.lasting_points(program, scenes, tmp_path) if point.call.name.startswith("fsync")
    ]

    searches = cutting.after_kills(program, tmp_path, places, 64)
    found = cutting.search_all(program, tmp_path, (replace(one, only_answers=True) for one in searches))

    assert any("the answer to: upgrade" in failure for failure in found.failures)
