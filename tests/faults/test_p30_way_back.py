"""P30: the way back."""

from __future__ import annotations

from pathlib import Path

from edgekit.selftest.lab import programs
from edgekit.selftest.lab.small_disk import SmallDisk
from edgekit.selftest.promises import p30_way_back
from tests.faults.conftest import Holds


def test_device_can_always_go_back(holds: Holds) -> None:
    holds("P30")


def test_agent_that_keeps_nothing_for_the_way_back_is_found_out(tmp_path: Path) -> None:
    def keep_nothing(text: str) -> str:
        assert text.count("        spare.keep(self._root)\n") == 1
        return text.replace("        spare.keep(self._root)\n", "")

    program = programs.without_models(programs.rewritten({"slots.py": keep_nothing}))
    attempt = p30_way_back._Attempt(name="full", free_bytes=0, free_files=None, program=program)

    with SmallDisk(tmp_path, p30_way_back._ROOMY) as disk:
        wrong, _ = p30_way_back._Device(disk=disk, root_name="root").go_back(program, attempt)

    assert any("No space left" in one for one in wrong)
