"""Bundles: the same bytes for the same content, and no byte that can be changed unnoticed."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgekit.bundle.manifest import FileEntry, Golden, GoldenTensor, Manifest, Tolerance
from edgekit.bundle.pack import Bundle, write_bundle
from edgekit.core import files as core_files
from edgekit.core.digest import sha256_bytes
from edgekit.core.errors import InputError, InternalError, StorageError, VerificationError

FILES = {"model.tflite": b"the model" * 100, "golden/input0.bin": b"\1\2\3\4", "golden/output0.bin": b"\5\6\7\x08"}
Tamper = Callable[[tarfile.TarInfo, bytes], tuple[tarfile.TarInfo, bytes]]


def manifest_of(files: dict[str, bytes]) -> Manifest:
    return Manifest(
        kind="model",
        target="host",
        recipe="int8",
        runtime="litert",
        files={name: FileEntry(sha256=sha256_bytes(data), size=len(data)) for name, data in files.items()},
        model="model.tflite",
        format="tflite",
        golden=Golden(
            inputs=(GoldenTensor(path="golden/input0.bin", shape=(1, 4), dtype="int8"),),
            outputs=(GoldenTensor(path="golden/output0.bin", shape=(1, 4), dtype="int8"),),
            tolerance=Tolerance(kind="abs", value=8.0),
        ),
        lineage=({"format": "keras", "sha256": "a" * 64, "made_by": "keras"},),
    )


MANIFEST = manifest_of(FILES)


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return write_bundle(tmp_path / "good.edgekit", MANIFEST, FILES)


def refused(path: Path) -> str:
    with pytest.raises(VerificationError) as caught:
        Bundle.open(path)
    assert str(path) in caught.value.message or "manifest" in caught.value.message
    return caught.value.message


def member(name: str, data: bytes = b"", **attributes: object) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(data), 0o644
    for key, value in attributes.items():
        setattr(info, key, value)
    return info, data


def tar(path: Path, members: list[tuple[tarfile.TarInfo, bytes]]) -> Path:
    """An archive of these members, whatever they are."""
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as archive:
        for info, data in members:
            archive.addfile(info, io.BytesIO(data))
    return path


def good_members() -> list[tuple[tarfile.TarInfo, bytes]]:
    return [
        member("manifest.json", MANIFEST.text().encode()),
        *(member(name, data) for name, data in sorted(FILES.items())),
    ]


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


def test_extra_member_is_refused(tmp_path):
    assert "extra" in refused(tar(tmp_path / "b", [*good_members(), member("extra", b"x")]))


def test_missing_member_is_named(tmp_path):
    assert "'model.tflite'" in refused(tar(tmp_path / "b", good_members()[:-1]))


def test_swapped_files_are_refused(tmp_path):
    swapped = FILES | {
        "golden/input0.bin": FILES["golden/output0.bin"],
        "golden/output0.bin": FILES["golden/input0.bin"],
    }
    members = [good_members()[0], *(member(name, data) for name, data in sorted(swapped.items()))]

    assert "is not what the manifest says" in refused(tar(tmp_path / "b", members))


@pytest.mark.parametrize("name", ["manifest.json", "model.tflite", "golden/input0.bin"])
def test_member_that_is_there_twice_is_refused(tmp_path, name):
    (twin,) = [each for each in good_members() if each[0].name == name]

    refused(tar(tmp_path / "b", [*good_members(), twin]))


def test_manifest_that_comes_last_is_refused(tmp_path):
    assert "does not begin with a manifest" in refused(tar(tmp_path / "b", good_members()[::-1]))


@pytest.mark.parametrize(
    "name", ["../model.tflite", "/model.tflite", "a/../model.tflite", "./model.tflite", "model.tflite/", "MODEL.TFLITE"]
)
def test_path_that_is_not_the_manifests_is_refused(tmp_path, name):
    members = [each for each in good_members() if each[0].name != "model.tflite"]

    refused(tar(tmp_path / "b", [*members, member(name, FILES["model.tflite"])]))


@pytest.mark.parametrize(
    "attributes",
    [
        {"type": tarfile.SYMTYPE, "linkname": "/etc/passwd"},
        {"type": tarfile.LNKTYPE, "linkname": "manifest.json"},
        {"type": tarfile.FIFOTYPE},
        {"type": tarfile.CHRTYPE, "devmajor": 1, "devminor": 5},
        {"type": tarfile.BLKTYPE, "devmajor": 8, "devminor": 0},
        {"type": tarfile.DIRTYPE},
        {"type": tarfile.CONTTYPE},
        {"type": b"?"},
        {"mode": 0o4755},
        {"mode": 0o2755},
        {"mode": 0o1755},
    ],
    ids=[
        "symlink",
        "hardlink",
        "fifo",
        "device",
        "disk",
        "folder",
        "contiguous",
        "unknown",
        "setuid",
        "setgid",
        "sticky",
    ],
)
def test_member_that_is_no_plain_file_is_refused(tmp_path, attributes):
    info, data = member("model.tflite", FILES["model.tflite"], **attributes)
    if not info.isreg():
        info.size, data = 0, b""
    members = [each for each in good_members() if each[0].name != "model.tflite"]

    assert "model.tflite" in refused(tar(tmp_path / "b", [*members, (info, data)]))


def test_1001_members_are_refused(tmp_path):
    files = FILES | {f"extra/{number}": b"" for number in range(1000)}
    manifest = manifest_of(files)
    members = [
        member("manifest.json", manifest.text().encode()),
        *(member(name, data) for name, data in sorted(files.items())),
    ]

    assert "too many" in refused(tar(tmp_path / "b", members))


def test_bundle_with_more_files_than_can_be_opened_is_not_written(tmp_path):
    files = FILES | {f"extra/{number}": b"" for number in range(1000)}

    with pytest.raises(InternalError):
        write_bundle(tmp_path / "b", manifest_of(files), files)

    assert not (tmp_path / "b").exists()


def test_bundle_at_the_limit_is_written_and_opened(tmp_path):
    files = FILES | {f"extra/{number}": b"" for number in range(996)}

    write_bundle(tmp_path / "b", manifest_of(files), files)

    assert len(Bundle.open(tmp_path / "b").manifest.files) == 999


def test_huge_manifest_is_refused_unread(tmp_path):
    members = [member("manifest.json", b" " * (1024 * 1024 + 1)), *good_members()[1:]]

    assert "does not begin with a manifest" in refused(tar(tmp_path / "b", members))


def test_manifest_that_claims_a_terabyte_is_refused_unread(tmp_path):
    info, _ = member("manifest.json")
    info.size = 2**33 - 1
    (tmp_path / "b").write_bytes(info.tobuf(tarfile.USTAR_FORMAT) + bytes(1024))

    refused(tmp_path / "b")


@pytest.mark.parametrize("mode", ["w:gz", "w:bz2", "w:xz"])
def test_compressed_archive_is_refused(tmp_path, mode):
    with tarfile.open(tmp_path / "b", mode) as archive:
        for info, data in good_members():
            archive.addfile(info, io.BytesIO(data))

    refused(tmp_path / "b")


@pytest.mark.parametrize("kind", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_long_name_tricks_are_refused(tmp_path, kind):
    with tarfile.open(tmp_path / "b", "w", format=kind) as archive:
        for info, data in [*good_members(), member("x" * 300, b"x")]:
            archive.addfile(info, io.BytesIO(data))

    refused(tmp_path / "b")


def test_pax_header_that_renames_a_member_is_refused(tmp_path):
    with tarfile.open(tmp_path / "b", "w", format=tarfile.PAX_FORMAT) as archive:
        for info, data in good_members():
            if info.name == "model.tflite":
                info.pax_headers = {"path": "../../evil"}
            archive.addfile(info, io.BytesIO(data))

    refused(tmp_path / "b")


@pytest.mark.parametrize("data", [b"", b"x", b"PK\3\4", bytes(1024), bytes(10240), b"\x1f\x8b\x08"])
def test_what_is_no_archive_is_refused(tmp_path, data):
    path = tmp_path / "b"
    path.write_bytes(data)

    refused(path)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_random_damage_is_refused(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("damage")
    good = write_bundle(folder / "good", MANIFEST, FILES).path.read_bytes()
    bad = bytearray(good)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(good) - 1))
        patch = data.draw(st.binary(min_size=1, max_size=16))
        bad[place : place + len(patch)] = patch
    (folder / "bad").write_bytes(bad)

    try:
        opened = Bundle.open(folder / "bad")
    except VerificationError:
        return
    assert bytes(bad) == good or opened.digest != MANIFEST.digest


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
