"""Archives that no edgekit has written: other members, other paths, other headers, other sizes; all are refused."""

from __future__ import annotations

import io
import tarfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgekit.bundle.pack import Bundle, write_bundle
from edgekit.core.errors import InternalError, VerificationError
from tests.unit.bundle.bundles import FILES, MANIFEST, good_members, manifest_of, member, refused, tar


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
