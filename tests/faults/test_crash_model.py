"""The file system that forgets: what has to be there after a power cut, and what may be."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

from edgekit.selftest.lab.crash_model import ForgetfulDisk, Image, image_of
from edgekit.selftest.lab.strace import Call

TOP = "/top"
OLD: Image = {"box": ("d", b""), "box/state": ("f", b"old"), "in": ("d", b""), "in/part": ("f", b"data")}


def call(name: str, path: str, **facts: Any) -> Call:
    given = {"nth": 1, "other": "", "descriptor": -1, "data": b"", "numbers": (), "flags": "", "result": 0, "error": ""}
    return Call(name=name, path=f"{TOP}/{path}", **{**given, **facts})


def create(path: str, data: bytes, *, descriptor: int = 3) -> list[Call]:
    return [
        call("openat", path, flags="O_WRONLY|O_CREAT", result=descriptor),
        call("write", path, descriptor=descriptor, data=data, result=len(data)),
    ]


def sync(path: str, *, descriptor: int = 3, error: str = "") -> list[Call]:
    return [call("fsync", path, descriptor=descriptor, error=error, result=-1 if error else 0)]


def sync_folder(path: str) -> list[Call]:
    return [call("openat", path, flags="O_RDONLY|O_DIRECTORY", result=9), *sync(path, descriptor=9)]


def left(*calls: list[Call], limit: int = 1000) -> list[Image]:
    disk = ForgetfulDisk(TOP, OLD, lambda _: False)
    for several in calls:
        for one in several:
            disk.follow(one)
    return list(disk.images(limit, Random(1)))


def contents(images: list[Image], path: str) -> set[bytes | None]:
    return {image[path][1] if path in image else None for image in images}


RENAME = [call("rename", "box/.tmp", other=f"{TOP}/box/state")]


def test_new_file_may_be_missing_empty_half_or_zeros() -> None:
    assert contents(left(create("box/.tmp", b"abcd")), "box/.tmp") == {None, b"", b"ab", bytes(4), b"abcd"}


def test_file_that_was_fsynced_is_whole_if_its_name_is_there() -> None:
    assert contents(left(create("box/.tmp", b"abcd"), sync("box/.tmp")), "box/.tmp") == {None, b"abcd"}


def test_name_lasts_with_the_fsync_of_its_folder() -> None:
    images = left(create("box/.tmp", b"abcd"), sync("box/.tmp"), RENAME, sync_folder("box"))

    assert contents(images, "box/state") == {b"abcd"}
    assert contents(images, "box/.tmp") == {None}


def test_rename_before_the_fsync_of_the_bytes_may_leave_an_empty_file() -> None:
    images = left(create("box/.tmp", b"abcd"), RENAME, sync_folder("box"))

    assert contents(images, "box/state") == {b"", b"ab", bytes(4), b"abcd"}


def test_rename_is_one_step() -> None:
    images = left(create("box/.tmp", b"abcd"), sync("box/.tmp"), RENAME)

    assert contents(images, "box/state") == {b"old", b"abcd"}


def test_file_is_never_lost_between_two_folders() -> None:
    images = left([call("rename", "in/part", other=f"{TOP}/box/blob")])

    assert {("in/part" in image, "box/blob" in image) for image in images} == {
        (True, False),
        (True, True),
        (False, True),
    }


def test_bytes_whose_fsync_failed_are_lost_though_the_next_one_succeeds() -> None:
    images = left(create("box/.tmp", b"abcd"), sync("box/.tmp", error="EIO"), sync("box/.tmp"))

    assert b"" in contents(images, "box/.tmp")


def test_sample_has_everything_and_several_without_some() -> None:
    files = [call for number in range(20) for call in create(f"box/{number}", b"x", descriptor=number + 3)]

    images = left(files, limit=100)

    assert len(images) == 100
    assert {len(image) for image in images} >= {24, 23, 22, 14}


def test_image_of_a_folder_tells_folders_files_and_links(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b").write_bytes(b"x")
    (tmp_path / "c").symlink_to("a/b")

    assert image_of(tmp_path) == {"a": ("d", b""), "a/b": ("f", b"x"), "c": ("l", b"a/b")}
