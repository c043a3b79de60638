"""P9: uploads that are cut off; and the experiment finds an agent that forgets, or believes, what it has."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.device.session import AgentProgram
from edgekit.selftest.lab.cut_upload import MIB, Cut, CutUpload, programs
from edgekit.selftest.lab.warm_device import WarmDevices
from edgekit.selftest.promise import Scale
from edgekit.selftest.promises import p09_transfers_resume
from tests.faults.conftest import Holds
from tests.faults.mutated_agent import Mutate, mutate

__all__ = ["mutate"]


def test_upload_that_was_cut_off_goes_on_where_it_stopped(holds: Holds) -> None:
    trial = holds("P9")

    assert trial.outcome.facts["resent_bytes_max"] <= MIB


@pytest.mark.full
@pytest.mark.timeout(3600)
def test_upload_that_was_cut_off_anywhere_goes_on_where_it_stopped(holds: Holds) -> None:
    holds("P9", Scale.FULL)


FORGETS = {"        self._cut(good)": "        self._cut(_Proven())"}
BELIEVES = {
    'b"%08x" % checksum == words[2]': "True",
    "good.running.hexdigest().encode() != good.noted": "False",
}


@pytest.mark.parametrize(
    ("changes", "says"),
    [(FORGETS, "asked for again"), (BELIEVES, "the last try is refused")],
    ids=["forgets", "believes"],
)
def test_agent_that_does_not_know_what_it_has_is_found_out(
    mutate: Mutate, tmp_path: Path, changes: dict[str, str], says: str
) -> None:
    for old, new in changes.items():
        mutate(old, new)

    found = p09_transfers_resume._flip(WarmDevices(tmp_path / "devices", *programs()), 7, None, [5])

    assert any(says in failure for failure in found.failures), found


def test_agent_that_notes_nothing_is_found_out(mutate: Mutate, tmp_path: Path) -> None:
    mutate("                with suppress(OSError):\n                    self._record()\n", "                pass\n")
    mutate("_RECORD_BYTES = 1024 * 1024", "_RECORD_BYTES = 8 * 1024 * 1024")
    agent = AgentProgram.current()
    upload = CutUpload(root=tmp_path / "root", data=b"0123456789abcdef" * 65_536 * 3, programs=(agent, agent))

    upload.attempt(Cut(until=2 * MIB + 77, kind="end"))
    upload.attempt(Cut(until=2 * MIB + 77, kind="end"))

    assert any("asked for again" in failure for failure in upload.failures)
