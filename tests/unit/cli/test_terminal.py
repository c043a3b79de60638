"""What is drawn for people: no text of a file or a device steers their terminal."""

from __future__ import annotations

import pytest

from edgekit.cli import _render
from edgekit.cli._output import Output, show_error, shown
from edgekit.core.errors import DeviceError

HOSTILE = "\x1b]0;owned\x07\x1b[2J\u202e\x9b31m\x00\x7f"


def steering(text: str) -> set[str]:
    """Characters that do something to a terminal instead of being shown."""
    return {char for char in text if not char.isprintable() and char != "\n"}


def test_table_shows_what_would_steer_the_terminal(capsys: pytest.CaptureFixture[str]):
    _render.table(HOSTILE, (HOSTILE, HOSTILE), [(HOSTILE, HOSTILE)])

    drawn = capsys.readouterr().out
    assert not steering(drawn)
    assert "owned" in drawn


def test_facts_are_no_markup(capsys: pytest.CaptureFixture[str]):
    _render.facts("", {"name": "[red]not red[/red] [link=http://x]y[/link]"})

    assert "[red]not red[/red]" in capsys.readouterr().out


def test_note_shows_what_would_steer_the_terminal(capsys: pytest.CaptureFixture[str]):
    Output(as_json=False, quiet=False, verbose=False).note(HOSTILE)

    assert not steering(capsys.readouterr().err)


@pytest.mark.parametrize("debug", [False, True])
def test_error_shows_what_would_steer_the_terminal(capsys: pytest.CaptureFixture[str], debug: bool):
    error = DeviceError(shown(HOSTILE), hint=HOSTILE, log=HOSTILE)

    show_error(error, as_json=True, debug=debug)

    printed = capsys.readouterr()
    assert not steering(printed.out + printed.err)


def test_letters_of_all_languages_are_shown_as_they_are():
    assert shown("Küche 台所 naïve 25 °C µs → ok") == "Küche 台所 naïve 25 °C µs → ok"
