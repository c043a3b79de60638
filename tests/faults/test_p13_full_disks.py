"""P13: the disk is full."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from edgekit.selftest.lab import programs
from edgekit.selftest.lab.agent_process import AgentProcess
from edgekit.selftest.lab.small_disk import SmallDisk
from edgekit.selftest.promise import Scale
from edgekit.selftest.promises import p13_full_disks
from edgekit.selftest.promises.p13_full_disks import _Device, _Fault, _leave
from tests.faults.conftest import Holds


def test_full_disk_does_no_harm(holds: Holds) -> None:
    trial = holds("P13")

    assert trial.outcome.facts["deployed"]
    assert trial.outcome.facts["refused"]


@pytest.mark.full
def test_disk_of_any_size_does_no_harm(holds: Holds) -> None:
    holds("P13", Scale.FULL)


def test_agent_that_keeps_what_it_could_not_finish_is_found_out(tmp_path: Path) -> None:
    def keep(text: str) -> str:
        assert text.count("        part.discard()  # gives the space back") == 1
        return text.replace("        part.discard()  # gives the space back", "        pass  # gives the space back")

    program = programs.rewritten({"blobs.py": keep})
    fault = _Fault(name="shrinks", meanwhile=partial(_leave, free_bytes=1024 * 1024))
    with (
        SmallDisk(tmp_path, p13_full_disks._ROOMY) as disk,
        AgentProcess(disk.path / "root", wrap=disk.wrap, program=program).boot() as agent,
    ):
        device = _Device(disk=disk, agent=agent)
        device.prepare()

        wrong = device.suffer(fault)

    assert any("are not given back" in one for one in wrong)
