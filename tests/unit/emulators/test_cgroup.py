from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.emulators import _cgroup
from edgekit.emulators._cgroup import limit_memory, release_memory_limit


@pytest.fixture
def no_controller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(_cgroup, "_V1", tmp_path / "absent")
    monkeypatch.setattr(_cgroup, "_V2", tmp_path)
    return tmp_path


def test_host_without_a_memory_controller_gives_no_group_and_keeps_none(no_controller: Path) -> None:
    assert limit_memory(Path("/some/device"), 2**20) is None

    assert list(no_controller.iterdir()) == []


def test_release_without_a_group_does_nothing(no_controller: Path) -> None:
    release_memory_limit(Path("/some/device"))
