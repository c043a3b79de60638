"""Copies of what was sent: verified, bounded, and never worth an error."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edgekit.core.digest import sha256_bytes
from edgekit.store.sent import Sent, default_root

DATA = [bytes([number]) * 1000 for number in range(4)]
NAMES = [sha256_bytes(data) for data in DATA]


def keep(sent: Sent, number: int) -> None:
    sent.keep(NAMES[number], lambda: DATA[number])


def test_copy_comes_back(tmp_path: Path) -> None:
    sent = Sent(tmp_path / "sent")
    keep(sent, 0)

    assert sent.get(NAMES[0]) == DATA[0]
    assert sent.get(NAMES[1]) is None


def test_copy_is_asked_for_once(tmp_path: Path) -> None:
    sent = Sent(tmp_path / "sent")
    keep(sent, 0)

    sent.keep(NAMES[0], lambda: pytest.fail("asked for again"))


def test_damaged_copy_is_none_and_is_replaced(tmp_path: Path) -> None:
    sent = Sent(tmp_path)
    keep(sent, 0)
    (tmp_path / NAMES[0]).write_bytes(b"damaged")

    assert sent.get(NAMES[0]) is None
    keep(sent, 0)
    assert sent.get(NAMES[0]) == DATA[0]


def test_copies_that_were_not_used_for_longest_go_first(tmp_path: Path) -> None:
    sent = Sent(tmp_path, most_bytes=2500)
    for number in range(2):
        keep(sent, number)
        os.utime(tmp_path / NAMES[number], (number + 1, number + 1))
    assert sent.get(NAMES[0]) == DATA[0]

    keep(sent, 2)

    assert [sent.get(name) is not None for name in NAMES] == [True, False, True, False]


def test_folder_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    sent = Sent(tmp_path / "file" / "sent")

    keep(sent, 0)

    assert sent.get(NAMES[0]) is None


def test_copies_lie_in_the_cache_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("EDGEKIT_CACHE_DIR", str(tmp_path))

    assert default_root() == tmp_path / "sent"
