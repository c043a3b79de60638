"""Files that are the old one or the new one, and paths that are looked at before they are opened."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from edgekit.core import files
from edgekit.core.errors import InputError, StorageError
from edgekit.core.files import require_readable, storage_errors, write_atomically


def entries(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_write_makes_folders_and_replaces_what_was_there(tmp_path):
    path = tmp_path / "a" / "b" / "file"

    write_atomically(path, b"old")
    write_atomically(path, b"new")

    assert path.read_bytes() == b"new"
    assert entries(path.parent) == {"file"}
    assert path.stat().st_mode & 0o777 == 0o644


def test_write_gives_the_mode_that_is_asked_for(tmp_path):
    write_atomically(tmp_path / "secret", b"x", mode=0o600)

    assert (tmp_path / "secret").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO])
@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_write_leaves_the_old_file_when_the_disk_fails(tmp_path, monkeypatch, number, step):
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def fail(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(files.os, step, fail)
    with pytest.raises(StorageError) as caught:
        write_atomically(path, b"new")

    assert str(path) in caught.value.message
    assert os.strerror(number) in caught.value.message
    assert path.read_bytes() == b"old"
    assert entries(tmp_path) == {"file"}


def test_write_cleans_up_when_the_user_interrupts(tmp_path, monkeypatch):
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(files.os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(tmp_path / "file", b"new")

    assert entries(tmp_path) == set()


def test_write_syncs_the_file_before_it_gets_its_name_and_the_folder_after(tmp_path, monkeypatch):
    order = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(files.os, "fsync", lambda handle: (order.append("fsync"), fsync(handle)))
    monkeypatch.setattr(files.os, "replace", lambda *paths: (order.append("replace"), replace(*paths)))

    write_atomically(tmp_path / "file", b"x")

    assert order == ["fsync", "replace", "fsync"]


def test_write_below_a_file_names_the_path(tmp_path):
    (tmp_path / "file").write_bytes(b"x")

    with pytest.raises(InputError) as caught:
        write_atomically(tmp_path / "file" / "below", b"x")

    assert str(tmp_path / "file" / "below") in caught.value.message


def test_storage_errors_lets_other_errors_through(tmp_path):
    with pytest.raises(PermissionError), storage_errors(tmp_path):
        raise PermissionError(errno.EACCES, "no")


def make_fifo(path: Path) -> None:
    os.mkfifo(path)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda path: None, "does not exist"),
        (lambda path: path.symlink_to("nowhere"), "is a dangling link"),
        (make_fifo, "is not a regular file"),
        (lambda path: path.mkdir(), "is a folder"),
        (lambda path: path.symlink_to("/dev/zero"), "is not a regular file"),
        (lambda path: path.symlink_to(path), "cannot be read"),
    ],
    ids=["missing", "dangling", "fifo", "folder", "device", "loop"],
)
def test_require_readable_refuses_before_anything_blocks(tmp_path, make, says):
    path = tmp_path / "thing"
    make(path)

    with pytest.raises(InputError) as caught:
        require_readable(path, what="model")

    assert says in caught.value.message or (says == "cannot be read" and "dangling" in caught.value.message)
    assert str(path) in caught.value.message


@pytest.mark.parametrize("name", ["a\0b", "a\ud800b"])
def test_require_readable_refuses_what_no_file_can_be_named(name):
    with pytest.raises(InputError) as caught:
        require_readable(Path(name), what="model")

    assert caught.value.message.isascii()


def test_require_readable_refuses_a_file_without_permission(tmp_path, monkeypatch):
    path = tmp_path / "file"
    path.write_bytes(b"x")
    monkeypatch.setattr(files.os, "access", lambda *_: False)  # root may read everything

    with pytest.raises(InputError, match="may not be read") as caught:
        require_readable(path, what="model")

    assert caught.value.hint == f"chmod u+r {path}"


def test_require_readable_takes_files_links_to_files_and_folders_where_allowed(tmp_path):
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "link").symlink_to("file")

    require_readable(tmp_path / "file", what="model")
    require_readable(tmp_path / "link", what="model")
    require_readable(tmp_path, what="model", folder_allowed=True)
