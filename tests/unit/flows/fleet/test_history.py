"""A device's history: what fences it off, for how long, and what a person has to do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgekit.core.errors import ConfigurationError, InputError
from edgekit.flows.fleet.history import WINDOW_S, Histories, HistoryEvent, Kind

NOW_S = 1_800_000_000.0


@pytest.fixture
def histories(tmp_path: Path) -> Histories:
    return Histories(folder=tmp_path / "devices")


def error(at_s: float) -> HistoryEvent:
    return HistoryEvent(utc_s=at_s, kind=Kind.ERROR, message="reset by peer")


def test_device_without_history_is_not_fenced(histories: Histories) -> None:
    assert histories.fenced("pi", NOW_S) is None
    assert not histories.folder.exists()


def test_third_error_within_a_day_fences_a_device_for_good(histories: Histories) -> None:
    assert histories.note("pi", [error(NOW_S), error(NOW_S)], NOW_S) is None
    because = histories.note("pi", [error(NOW_S + 1)], NOW_S + 1)

    assert because is not None
    assert "3 errors of the infrastructure within 24 hours" in because
    assert histories.fenced("pi", NOW_S + 30 * WINDOW_S) == because
    assert histories.fenced("other", NOW_S) is None


def test_error_of_a_day_ago_does_not_count(histories: Histories) -> None:
    old = [error(NOW_S - WINDOW_S), error(NOW_S - WINDOW_S)]

    assert histories.note("pi", [*old, error(NOW_S)], NOW_S) is None


def test_clock_that_went_back_hides_no_error(histories: Histories) -> None:
    later = [error(NOW_S + 90 * WINDOW_S)] * 3

    assert histories.note("pi", later, NOW_S) is not None


def test_released_device_begins_anew(histories: Histories) -> None:
    histories.note("pi", [error(NOW_S)] * 3, NOW_S)

    because = histories.release("pi", "a new cable", NOW_S)

    assert "reset by peer" in because
    assert histories.fenced("pi", NOW_S) is None
    assert histories.note("pi", [error(NOW_S)] * 2, NOW_S) is None
    assert histories.note("pi", [error(NOW_S)], NOW_S) is not None


def test_device_that_is_not_fenced_cannot_be_released(histories: Histories) -> None:
    with pytest.raises(InputError, match="not quarantined"):
        histories.release("pi", "why not", NOW_S)


def test_old_events_are_forgotten_and_the_quarantine_is_not(histories: Histories) -> None:
    histories.note("pi", [error(NOW_S)] * 3, NOW_S)
    for _ in range(5):
        histories.note("pi", [HistoryEvent(utc_s=NOW_S, kind=Kind.WELL, message="")] * 50, NOW_S)

    assert len(histories.events("pi")) <= 101
    assert histories.fenced("pi", NOW_S) is not None


@pytest.mark.parametrize("text", ["", "[]", '{"schema": "edgekit.device-history/1"}', '{"schema": "x", "events": []}'])
def test_history_that_cannot_be_read_is_named(histories: Histories, text: str) -> None:
    histories.folder.mkdir()
    (histories.folder / "pi.json").write_text(text)

    with pytest.raises(ConfigurationError, match=r"pi\.json"):
        histories.fenced("pi", NOW_S)


def test_url_in_the_place_of_a_name_stays_within_the_folder(histories: Histories) -> None:
    histories.note("ssh://pi@host/../../x", [error(NOW_S)], NOW_S)

    (file,) = histories.folder.glob("*.json")
    assert json.loads(file.read_text())["device"] == "ssh://pi@host/../../x"
