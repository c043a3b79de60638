"""Digests: the one byte string of a value, and the one name of a file or folder."""

from __future__ import annotations

import hashlib
import io
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.core.digest import canonical_json, sha256_bytes, sha256_file, sha256_json, sha256_path, sha256_stream
from edgekit.core.errors import InputError

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def tree(folder: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def test_sha256_of_bytes_file_and_stream_are_hashlibs(tmp_path):
    data = b"edge" * 700_000
    path = tmp_path / "file"
    path.write_bytes(data)

    expected = hashlib.sha256(data).hexdigest()

    assert sha256_bytes(data) == sha256_file(path) == sha256_path(path) == sha256_stream(io.BytesIO(data)) == expected


def test_stream_is_hashed_from_where_it_stands():
    stream = io.BytesIO(b"headbody")
    stream.seek(4)

    assert sha256_stream(stream) == sha256_bytes(b"body")


def test_canonical_json_is_sorted_utf8_without_spaces():
    assert canonical_json({"b": [1, "ü"], "a": None}) == '{"a":null,"b":[1,"ü"]}'.encode()


@given(st.dictionaries(st.text(), JSON))
def test_canonical_json_does_not_depend_on_the_order_of_keys(value):
    backwards = dict(reversed(list(value.items())))

    assert canonical_json(backwards) == canonical_json(value)
    assert sha256_json(backwards) == sha256_json(value)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), [float("-inf")]])
def test_canonical_json_refuses_what_json_has_not(value):
    with pytest.raises(ValueError, match="JSON"):
        canonical_json(value)


def test_folder_digest_does_not_depend_on_the_order_of_creation(tmp_path):
    files = {"b/x": b"1", "a": b"2", "b/a": b"3"}
    first = tree(tmp_path / "first", files)
    second = tree(tmp_path / "second", dict(reversed(files.items())))

    assert sha256_path(first) == sha256_path(second)


@pytest.mark.parametrize(
    "other",
    [
        {"a": b"2", "b/x": b"1"},
        {"a": b"1", "b/y": b"2"},
        {"a": b"1", "b/x": b"2", "c": b""},
        {"a": b"1"},
        {"a": b"1", "bx": b"2"},
    ],
    ids=["swapped", "renamed", "added", "removed", "moved"],
)
def test_folder_digest_changes_with_its_content(tmp_path, other):
    first = tree(tmp_path / "first", {"a": b"1", "b/x": b"2"})

    assert sha256_path(tree(tmp_path / "second", other)) != sha256_path(first)


@pytest.mark.parametrize("make", [lambda path: path.symlink_to("a"), os.mkfifo], ids=["link", "fifo"])
def test_folder_with_something_else_than_files_is_refused(tmp_path, make):
    tree(tmp_path / "folder", {"a": b"1"})
    make(tmp_path / "folder" / "odd")

    with pytest.raises(InputError, match="odd is not a regular file"):
        sha256_path(tmp_path / "folder")


def test_folder_with_a_link_to_a_folder_is_refused(tmp_path):
    tree(tmp_path / "folder", {"a": b"1"})
    (tmp_path / "folder" / "odd").symlink_to("/etc", target_is_directory=True)

    with pytest.raises(InputError, match="odd"):
        sha256_path(tmp_path / "folder")
