"""P15: the host dies."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.selftest.promise import Scale
from edgekit.selftest.promises import p15_killed_hosts
from tests.faults.conftest import Holds


def test_host_that_is_killed_leaves_a_device_that_another_host_can_use(holds: Holds) -> None:
    holds("P15")


@pytest.mark.full
def test_host_that_is_killed_anywhere_leaves_a_device_that_another_host_can_use(holds: Holds) -> None:
    holds("P15", Scale.FULL)


def test_host_that_writes_over_its_files_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        p15_killed_hosts,
        "_SAVE",
        "import sys; from pathlib import Path; Path(sys.argv[1]).write_bytes(b'new' * 4096)",
    )

    killed, wrong = p15_killed_hosts._kill_savers(tmp_path)

    assert killed
    assert any("half a file" in one for one in wrong)
