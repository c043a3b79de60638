"""The noise floor of a device, kept for a week."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from edgekit.core.measurement import Validity
from edgekit.flows.measuring.fingerprint import environment_sha256
from edgekit.flows.measuring.floor import MAX_AGE, floor_of, keep_floor, kept_floor
from tests.unit.flows.measuring._raw import measurement, run

NOW = datetime(2026, 11, 22, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEKIT_DATA_DIR", str(tmp_path))


def scattered(n: int):
    return measurement([run(place, call_ns=1_000_000 + 10_000 * (place * 7 % 5)) for place in range(n)])


def test_floor_is_found_again_until_it_is_a_week_old():
    found = scattered(20)

    kept = keep_floor(found, now=NOW)

    environment = environment_sha256(found)
    assert kept is not None
    assert 0 < kept < 0.03
    assert kept_floor("board", environment, now=NOW + MAX_AGE) == kept
    assert kept_floor("board", environment, now=NOW + MAX_AGE + timedelta(seconds=1)) is None


def test_floor_is_of_one_device_and_environment():
    keep_floor(scattered(20), now=NOW)

    assert kept_floor("other", environment_sha256(scattered(20)), now=NOW) is None
    assert kept_floor("board", "0" * 64, now=NOW) is None


@pytest.mark.parametrize("flag", [Validity.NOISY, Validity.THROTTLED, Validity.INVALID])
def test_machine_that_was_not_quiet_leaves_no_floor(flag):
    found = replace(scattered(20), validity=(flag,))

    assert keep_floor(found, now=NOW) is None
    assert kept_floor("board", environment_sha256(found), now=NOW) is None


def test_few_processes_have_a_floor_of_their_own_from_14_on_and_keep_none():
    assert floor_of(scattered(13)) is None
    assert floor_of(scattered(14)) is not None
    assert keep_floor(scattered(14), now=NOW) is None


def test_damaged_note_is_as_good_as_none(tmp_path):
    keep_floor(scattered(20), now=NOW)
    (note,) = (tmp_path / "floors").iterdir()
    note.write_text("{")

    assert kept_floor("board", environment_sha256(scattered(20)), now=NOW) is None
