"""P3: the disk refuses a call."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.selftest.lab import programs, recording, strace
from edgekit.selftest.lab.killing import NO_STRACE, on_benches, points
from edgekit.selftest.promise import Scale
from edgekit.selftest.promises import p03_disk_errors
from tests.faults.conftest import Holds

pytestmark = pytest.mark.skipif(not strace.is_there(), reason=NO_STRACE)


def test_disk_error_is_told_and_the_old_release_stays(holds: Holds) -> None:
    holds("P3")


@pytest.mark.full
def test_every_disk_error_is_told_and_the_old_release_stays(holds: Holds) -> None:
    holds("P3", Scale.FULL)


def test_agent_that_goes_on_after_a_failed_fsync_is_found_out(tmp_path: Path) -> None:
    def go_on(text: str) -> str:
        assert text.count("            os.fsync(descriptor)\n    except") == 1
        return text.replace(
            "            os.fsync(descriptor)\n    except",
            "            with suppress(OSError):\n                os.fsync(descriptor)\n    except",
        )

    program = programs.without_models(programs.rewritten({"durable.py": go_on}))
    scene = next(scene for scene in recording.scenes(program, tmp_path / "scenes") if scene.act.name == "rollback")
    faults = [
        p03_disk_errors._Fault(point=point, error="EIO")
        for point in points(program, scene, tmp_path)
        if point.call.name == "fsync" and ".tmp-" in point.call.path
    ]

    results = on_benches(program, tmp_path, faults, p03_disk_errors._fail)
    found = [wrong for _, several in results for wrong in several or []]

    assert any("the answer to: rollback" in wrong for wrong in found)
