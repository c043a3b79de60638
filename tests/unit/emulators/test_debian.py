"""Debian's archive when a part of it is not in order."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.core.errors import NetworkError
from edgekit.emulators import _debian
from edgekit.emulators._debian import DebianArchive


@pytest.fixture
def archive(tmp_path: Path) -> DebianArchive:
    return DebianArchive(folder=tmp_path, suite="bookworm", arch="armhf")


def broken(monkeypatch: pytest.MonkeyPatch, folder: Path, word: str) -> None:
    """Makes apt fail to fetch lists as long as the word stands in its sources."""

    def run(argv: list[str], **_settings: object) -> str:
        if argv[1] == "indextargets":
            return "http://mirror/debian\nhttp://mirror/debian-security\n"
        if argv[1] == "update" and word in (folder / "sources.list").read_text():
            raise NetworkError("File has unexpected size. Mirror sync in progress?")
        return "x\n  Depends: x-1\n"

    monkeypatch.setattr(_debian, "run", run)


def test_security_archive_in_the_middle_of_a_copy_is_left_out(
    archive: DebianArchive, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken(monkeypatch, archive.folder, "bookworm-security")

    assert archive.dependency("x", prefix="x-") == "x-1"
    assert "http://mirror/debian bookworm main" in (archive.folder / "sources.list").read_text()


def test_main_archive_that_cannot_be_reached_is_an_error(
    archive: DebianArchive, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken(monkeypatch, archive.folder, "http://mirror/debian ")

    with pytest.raises(NetworkError, match="Mirror sync"):
        archive.dependency("x", prefix="x-")
