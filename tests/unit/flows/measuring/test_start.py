"""The temperature at which a device's measurements begin."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from edgekit.flows.measuring import start

NOW = datetime(2026, 11, 23, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(start, "default_path", lambda: tmp_path / "results.sqlite3")


def test_start_is_kept_for_its_device_and_a_week():
    start.keep_start("kitchen", 45.5, now=NOW)

    assert start.kept_start("kitchen", now=NOW + timedelta(days=7)) == 45.5
    assert start.kept_start("kitchen", now=NOW + timedelta(days=7, seconds=1)) is None
    assert start.kept_start("hall", now=NOW) is None


@pytest.mark.parametrize("damage", ["", "[]", "{}", '{"schema": "edgekit.start/1", "temperature_c": NaN}'])
def test_damaged_note_is_as_good_as_none(tmp_path: Path, damage: str):
    start.keep_start("kitchen", 45.5, now=NOW)
    (file,) = (tmp_path / "starts").iterdir()
    file.write_text(damage)

    assert start.kept_start("kitchen", now=NOW) is None
