"""Data sets and labels that cannot be used (catalogue 28, 33), and bundles that are hostile (25) or active (31)."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

HOST = ("--target", "host")
LOCAL = ("--device", "local://")


class Canary:
    """Writes a file when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path("canary"),)


@pytest.mark.parametrize("name", ["evil.npy", "evil.npz"])
@pytest.mark.parametrize("option", ["--calibration-data", "--eval-data"])
def test_28_pickled_objects_are_refused_and_not_run(edgekit, name, option):
    objects = np.array([Canary()], dtype=object)
    (np.save if name.endswith("npy") else np.savez)(name, objects, allow_pickle=True)

    ended = edgekit("compile", "dense.tflite", *HOST, "--recipe", "dynamic", option, name, "-o", "out.edgekit")

    assert (ended.code, "pickled Python objects" in ended.message) == (4, True)
    assert name in ended.message
    assert {path.name for path in edgekit.folder.iterdir()} == {"dense.tflite", name}


@pytest.mark.parametrize(
    ("labels", "says"),
    [
        pytest.param([0, 1, 3], ("data.npz is 3", "3 classes"), id="label beyond the classes"),
        pytest.param([0, 1, -1], ("data.npz: label 2 is -1",), id="negative label"),
        pytest.param([0.0, 1.0, 0.5], ("data.npz: labels are of the dtype float64",), id="no class numbers"),
        pytest.param([0, 1], ("data.npz: ", "3, 2"), id="fewer labels than samples"),
    ],
)
def test_33_labels_that_do_not_go_with_the_model_are_refused_before_the_activation(
    edgekit, bundle, monkeypatch, tmp_path, labels, says
):
    monkeypatch.setenv("EDGEKIT_LOCAL_ROOT", str(tmp_path / "new"))
    np.savez("data.npz", x=np.random.default_rng(1).random((3, 4), np.float32), y=np.array(labels))

    ended = edgekit("deploy", bundle, *HOST, *LOCAL, "--no-profile", "--eval-data", "data.npz")

    assert ended.code == 3
    assert all(words in ended.message for words in says)
    assert not (tmp_path / "new" / "current").exists()


def test_33_class_names_that_do_not_go_with_the_model_are_refused_with_both(edgekit, bundle):
    x = np.random.default_rng(1).random((3, 4), np.float32)
    np.savez("data.npz", x=x, y=np.arange(3), classes=np.array(["cat", "dog", "emu", "fox"]))

    ended = edgekit("deploy", bundle, *HOST, *LOCAL, "--no-profile", "--eval-data", "data.npz")

    assert (ended.code, "data.npz names 4 classes, and the model has 3" in ended.message) == (3, True)


def test_warnings_about_calibration_data_name_the_file(edgekit):
    np.savez("few.npz", x=np.random.default_rng(1).random((3, 4), np.float32))

    ended = edgekit(
        "compile", "dense.tflite", *HOST, "--recipe", "dynamic", "--calibration-data", "few.npz", "-o", "x.edgekit"
    )

    assert ended.code == 0
    assert [text for text in ended.document["warnings"] if "few.npz: 3 samples are few" in text]


def hostile(bundle: Path, **changes: Any) -> bytes:
    """The bundle with one more member, made by hand."""
    stream = io.BytesIO()
    with tarfile.open(bundle) as source, tarfile.open(fileobj=stream, mode="w", format=tarfile.USTAR_FORMAT) as target:
        for member in source:
            target.addfile(member, source.extractfile(member))
        extra = tarfile.TarInfo("evil")
        for name, value in changes.items():
            setattr(extra, name, value)
        target.addfile(extra)
    return stream.getvalue()


MEMBERS = {
    "parent": {"name": "../evil"},
    "absolute": {"name": "/etc/evil"},
    "link": {"type": tarfile.SYMTYPE, "linkname": "/etc/passwd"},
    "hard link": {"type": tarfile.LNKTYPE, "linkname": "manifest.json"},
    "device": {"type": tarfile.CHRTYPE, "devmajor": 1, "devminor": 5},
    "fifo": {"type": tarfile.FIFOTYPE},
    "folder": {"type": tarfile.DIRTYPE},
    "setuid": {"mode": 0o4755},
}


@pytest.mark.parametrize("case", MEMBERS)
@pytest.mark.parametrize("verb", ["deploy", "profile"])
def test_25_bundle_with_a_hostile_member_is_refused_unpacked(edgekit, bundle, device, case, verb):
    before = sorted(device.rglob("*"))
    (edgekit.folder / "evil.edgekit").write_bytes(hostile(bundle, **MEMBERS[case]))

    ended = edgekit(verb, "evil.edgekit", *HOST, *LOCAL)

    assert (ended.code, "evil.edgekit" in ended.message) == (4, True)
    assert sorted(device.rglob("*")) == before


def test_25_bundle_with_a_hundred_thousand_members_is_refused(edgekit, bundle):
    header = tarfile.TarInfo("x").tobuf(tarfile.USTAR_FORMAT)
    manifest = bundle.read_bytes()[:10240]
    with (edgekit.folder / "many.edgekit").open("wb") as file:
        file.write(manifest[: manifest.index(b"\0" * 512)] + header * 100_000)

    ended = edgekit("deploy", "many.edgekit", *HOST, *LOCAL)

    assert ended.code == 4


@pytest.mark.parametrize("verb", ["inspect", "compile", "check"])
def test_bundle_in_the_place_of_a_model_is_called_one(edgekit, bundle, verb):
    more = () if verb == "inspect" else (*HOST, "--recipe", "dynamic")

    ended = edgekit(verb, bundle, *more)

    assert ended.code == 14
    assert f"{bundle} is an edgekit bundle" in ended.message
    assert f"edgekit profile {bundle}" in ended.message
    assert "tar" not in ended.message.replace(str(bundle), "").replace("target", "")


def snapshot(root: Path) -> dict[str, tuple[int, int]]:
    """Inode and time of change of everything below a root folder but the lock, which names its holder."""
    found = [path for path in root.rglob("*") if path != root / "lock"]
    return {str(path): (path.lstat().st_ino, path.lstat().st_mtime_ns) for path in found}


def test_31_release_that_is_active_already_is_left_alone(edgekit, bundle, device):
    first = edgekit("deploy", bundle, *HOST, *LOCAL, "--no-profile")  # writes what this agent's bytecode needs
    before = snapshot(device)

    again = edgekit("deploy", bundle, *HOST, *LOCAL, "--no-profile")

    for ended in (first, again):
        assert (ended.code, ended.document["deployment"]["unchanged"]) == (0, True)
        assert ended.document["deployment"]["bytes_sent"] == 0
    assert snapshot(device) == before
