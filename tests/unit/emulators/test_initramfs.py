from __future__ import annotations

import stat

import pytest

from edgekit.emulators._initramfs import Entry, character_device, file, folder, write_cpio

HEADER_BYTES = 110


def read_cpio(data: bytes) -> list[Entry]:
    """An independent reader: the entries before the trailer."""
    entries, at = [], 0
    while True:
        assert data[at : at + 6] == b"070701"
        numbers = [int(data[at + 6 + 8 * field : at + 14 + 8 * field], 16) for field in range(13)]
        _, mode, _, _, _, _, size, _, _, major, minor, name_size, _ = numbers
        name = data[at + HEADER_BYTES : at + HEADER_BYTES + name_size]
        assert name.endswith(b"\0")
        start = at + HEADER_BYTES + name_size
        start += -start % 4
        if name == b"TRAILER!!!\0":
            assert start == len(data)
            return entries
        content = data[start : start + size]
        entries.append(Entry(path=name[:-1].decode(), mode=mode, data=content, device=(major, minor)))
        at = start + size
        at += -at % 4


def test_archive_gives_back_what_went_in() -> None:
    entries = [
        folder("bin"),
        character_device("dev/console", 5, 1),
        file("init", b"#!/bin/sh\n", mode=0o755),
        file("empty", b""),
        file("seven", b"1234567"),
    ]

    assert read_cpio(write_cpio(entries)) == entries


def test_kinds_and_modes_are_those_of_stat() -> None:
    by_path = {entry.path: entry for entry in read_cpio(write_cpio([folder("a"), file("a/b", b"", mode=0o600)]))}

    assert stat.S_ISDIR(by_path["a"].mode)
    assert stat.S_ISREG(by_path["a/b"].mode)
    assert stat.S_IMODE(by_path["a/b"].mode) == 0o600


def test_same_entries_give_the_same_bytes() -> None:
    assert write_cpio([file("a", b"x")]) == write_cpio([file("a", b"x")])


@pytest.mark.parametrize("name", ["a", "ab", "abc", "abcd", "abcde"])
def test_every_length_of_name_is_padded(name: str) -> None:
    data = write_cpio([file(name, b"content")])

    assert len(data) % 4 == 0
    assert read_cpio(data)[0].path == name
