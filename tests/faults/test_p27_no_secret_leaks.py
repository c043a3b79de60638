"""P27: no output, log, traceback or stored file holds a secret."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from edgekit.core.secret import Secret
from edgekit.selftest.promises import p27_no_secret_leaks as p27


def test_p27_holds(holds):
    assert holds("P27").outcome.cases >= 50


def ward(folder: Path) -> p27._Ward:
    return p27._Ward(chance=random.Random(0), folder=folder)


def test_p27_sees_a_secret_in_a_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Secret, "__repr__", lambda secret: repr(secret.reveal()))
    watched = ward(tmp_path)

    p27._wrap(watched)

    assert any("a Secret is in the text of a Secret" in leak for leak in watched.leaks(tmp_path))


def test_p27_sees_a_secret_in_a_file(tmp_path: Path):
    watched = ward(tmp_path)
    (tmp_path / "log").write_text(f"export TOKEN={watched.plant('a variable')}")

    assert list(watched.leaks(tmp_path)) == [f"a variable is in {tmp_path / 'log'}"]
