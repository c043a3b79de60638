"""Bundles: the same bytes for the same content, and no byte that can be changed unnoticed."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from dataclasses import replace

import pytest

from edgekit.bundle.pack import Bundle, write_bundle
from edgekit.core import files as core_files
from edgekit.core.errors import InputError, InternalError, StorageError, VerificationError
from tests.unit.bundle.bundles import FILES, MANIFEST, good_members, manifest_of, refused, tar


def test_bundle_survives_the_file(bundle):
    copy = Bundle.open(str(bundle.path))

    assert copy.manifest == MANIFEST
    assert copy.digest == bundle.digest == MANIFEST.digest
    assert {name: copy.read(name) for name in FILES} == FILES


def test_helper_makes_the_bytes_that_edgekit_makes(bundle, tmp_path):
    assert tar(tmp_path / "mine", good_members()).read_bytes() == bundle.path.read_bytes()


def test_bytes_depend_on_the_content_alone(bundle, tmp_path, monkeypatch):
    monkeypatch.setenv("TZ", "Pacific/Kiritimati")
    monkeypatch.setattr("time.time", lambda: 4_000_000_000.0)
    monkeypatch.setattr("os.getuid", lambda: 12345)
    old = os.umask(0o077)
    try:
        again = write_bundle(tmp_path / "other" / "name", MANIFEST, dict(reversed(FILES.items())))
    finally:
        os.umask(old)

    assert again.path.read_bytes() == bundle.path.read_bytes()
    assert again.path.stat().st_mode & 0o777 == 0o644


def test_bytes_do_not_depend_on_the_process(bundle, tmp_path):
    program = (
        "from pathlib import Path; import sys\n"
        "from edgekit.bundle.manifest import parse_manifest\n"
        "from edgekit.bundle.pack import Bundle, write_bundle\n"
        "b = Bundle.open(sys.argv[1])\n"
        "write_bundle(Path('again'), b.manifest, {n: b.read(n) for n in set(b.manifest.files)})\n"
    )

    for seed in ("1", "2"):
        folder = tmp_path / seed
        folder.mkdir()
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        subprocess.run(
            [sys.executable, "-c", program, str(bundle.path)], check=True, cwd=folder, env=environment, timeout=60
        )

        assert (folder / "again").read_bytes() == bundle.path.read_bytes()


def test_every_flipped_byte_is_refused(bundle, tmp_path):
    data, path = bundle.path.read_bytes(), tmp_path / "flipped"

    for place in range(0, len(data), 11):  # 11 shares no factor with the blocks, so that every field is met
        path.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        try:
            opened = Bundle.open(path)
        except VerificationError:
            continue
        assert opened.digest != MANIFEST.digest, place  # another manifest is another release


@pytest.mark.parametrize("share", [0.0, 0.01, 0.1, 0.3, 0.5, 0.7, 0.8])
def test_truncated_bundle_is_refused(bundle, tmp_path, share):
    path = tmp_path / "cut"
    path.write_bytes(bundle.path.read_bytes()[: int(bundle.path.stat().st_size * share)])

    refused(path)


def test_bundle_that_is_cut_anywhere_within_its_members_is_refused(bundle, tmp_path):
    data, path = bundle.path.read_bytes(), tmp_path / "cut"
    with tarfile.open(bundle.path) as archive:
        last = archive.getmembers()[-1]

    for length in range(0, last.offset_data + last.size, 97):
        path.write_bytes(data[:length])
        refused(path)


def test_bytes_after_the_end_are_refused(bundle, tmp_path):
    path = tmp_path / "longer"
    path.write_bytes(bundle.path.read_bytes() + b"hidden" * 200)

    refused(path)


def test_second_archive_behind_the_first_is_refused(bundle, tmp_path):
    path = tmp_path / "two"
    path.write_bytes(bundle.path.read_bytes() * 2)

    refused(path)


def test_file_that_changes_after_the_bundle_was_opened_is_refused(bundle):
    opened = Bundle.open(bundle.path)
    data = bundle.path.read_bytes()
    bundle.path.write_bytes(data.replace(b"the model", b"The model", 1))

    with pytest.raises(VerificationError, match="changed since"):
        opened.read("model.tflite")


@pytest.mark.parametrize("content", [b"", b"no archive at all"])
def test_bundle_that_is_replaced_after_it_was_opened_is_refused(bundle, content):
    opened = Bundle.open(bundle.path)
    bundle.path.write_bytes(content)

    with pytest.raises(VerificationError):
        opened.read("model.tflite")


def test_member_that_is_gone_after_the_bundle_was_opened_is_refused(bundle):
    opened = Bundle.open(bundle.path)
    tar(bundle.path, good_members()[:-1])

    with pytest.raises(VerificationError):
        opened.read("model.tflite")


def test_file_that_the_manifest_does_not_name_cannot_be_read(bundle):
    with pytest.raises(KeyError):
        bundle.read("manifest.json")


@pytest.mark.parametrize("make", [lambda p: None, lambda p: p.mkdir(), os.mkfifo, lambda p: p.symlink_to("nowhere")])
def test_path_that_is_no_file_is_an_input_error(tmp_path, make):
    make(tmp_path / "b")

    with pytest.raises(InputError, match="the bundle"):
        Bundle.open(tmp_path / "b")


@pytest.mark.parametrize(
    "files",
    [FILES | {"model.tflite": b"other"}, {"model.tflite": FILES["model.tflite"]}, FILES | {"extra": b"x"}],
    ids=["other content", "file missing", "file too many"],
)
def test_write_refuses_what_the_manifest_does_not_say(tmp_path, files):
    with pytest.raises(InternalError):
        write_bundle(tmp_path / "b", MANIFEST, files)

    assert list(tmp_path.iterdir()) == []


def test_write_leaves_the_old_bundle_when_the_disk_is_full(bundle, monkeypatch):
    before = bundle.path.read_bytes()

    def fail(_: int) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(core_files.os, "fsync", fail)
    with pytest.raises(StorageError):
        write_bundle(bundle.path, replace(MANIFEST, recipe="other"), FILES)

    assert bundle.path.read_bytes() == before
    assert [path.name for path in bundle.path.parent.iterdir()] == ["good.edgekit"]


def test_long_name_survives(tmp_path):
    files = FILES | {"golden/" + "x" * 93: b"x"}

    write_bundle(tmp_path / "b", manifest_of(files), files)

    assert Bundle.open(tmp_path / "b").read("golden/" + "x" * 93) == b"x"


def test_empty_file_of_another_digest_is_not_read_as_empty(bundle, tmp_path):
    bundle.path.unlink()

    with pytest.raises(VerificationError):
        bundle.read("model.tflite")
