"""Baselines on disk: the old one or the new one, never half of one, and nothing that was changed is believed."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from edgekit.core.digest import sha256_bytes, sha256_json
from edgekit.core.errors import ConfigurationError, InputError, UsageError, VerificationError
from edgekit.flows.gating import shelf as module
from edgekit.flows.gating.baseline import Baseline
from edgekit.flows.gating.shelf import FILE_NAME, Shelf, default_folder, slug
from tests.models.measured import baseline

OLD, NEW = b"TFL3 old", b"TFL3 new"


def kept(content: bytes = OLD, **changes: object) -> Baseline:
    return baseline(content, sha256_bytes(content), **changes)


@pytest.fixture
def artifact(tmp_path: Path) -> Path:
    path = tmp_path / "model.tflite"
    path.write_bytes(OLD)
    return path


@pytest.fixture
def shelf(tmp_path: Path, artifact: Path) -> Shelf:
    """With the baseline main of the device pi."""
    made = Shelf(folder=tmp_path / "baselines")
    made.write(kept(), artifact)
    return made


def test_baseline_comes_back_as_it_was_with_its_artifact(shelf: Shelf) -> None:
    found = shelf.read("main", "pi")

    assert found.as_json() == kept().as_json()
    assert shelf.artifact(found).read_bytes() == OLD
    assert shelf.names() == ["main"]
    assert shelf.devices("main") == ["pi"]


def test_same_baseline_is_the_same_bytes(shelf: Shelf, artifact: Path) -> None:
    path = shelf.folder / "main" / "pi" / FILE_NAME
    before = path.read_bytes()

    shelf.write(kept(), artifact)

    assert path.read_bytes() == before


def test_new_baseline_replaces_the_old_one_whole(shelf: Shelf, artifact: Path) -> None:
    artifact.write_bytes(NEW)

    shelf.write(kept(NEW), artifact)

    place = shelf.folder / "main" / "pi"
    assert sorted(path.name for path in place.iterdir()) == sorted([FILE_NAME, f"{sha256_bytes(NEW)}.tflite"])
    assert shelf.artifact(shelf.read("main", "pi")).read_bytes() == NEW


@pytest.mark.parametrize("at", [1, 2])
def test_interruption_leaves_the_old_baseline(shelf: Shelf, artifact: Path, monkeypatch, at: int) -> None:
    interrupt(monkeypatch, at=at)
    artifact.write_bytes(NEW)

    with pytest.raises(KeyboardInterrupt):
        shelf.write(kept(NEW), artifact)

    assert shelf.artifact(shelf.read("main", "pi")).read_bytes() == OLD


@pytest.mark.parametrize("at", [1, 2])
def test_interruption_of_the_first_save_leaves_nothing(tmp_path: Path, artifact: Path, monkeypatch, at: int) -> None:
    interrupt(monkeypatch, at=at)
    fresh = Shelf(folder=tmp_path / "fresh")

    with pytest.raises(KeyboardInterrupt):
        fresh.write(kept(), artifact)

    assert fresh.names() == []
    assert not list(fresh.folder.iterdir())


def interrupt(monkeypatch: pytest.MonkeyPatch, *, at: int) -> None:
    """Ctrl-C in the middle of this write."""
    written, original = [], module.write_atomically

    def write(path: Path, data: bytes) -> None:
        written.append(path)
        if len(written) == at:
            path.parent.mkdir(parents=True, exist_ok=True)
            raise KeyboardInterrupt
        original(path, data)

    monkeypatch.setattr(module, "write_atomically", write)


def test_artifact_that_changed_while_it_was_measured_is_not_kept(shelf: Shelf, artifact: Path) -> None:
    with pytest.raises(VerificationError, match="changed while it was measured"):
        shelf.write(kept(NEW), artifact)

    assert shelf.artifact(shelf.read("main", "pi")).read_bytes() == OLD


def test_unknown_baseline_is_refused_with_the_nearest_name(shelf: Shelf) -> None:
    with pytest.raises(InputError, match="no baseline 'mian'") as raised:
        shelf.read("mian", "pi")

    assert raised.value.hint == "did you mean 'main'?"


def test_device_without_a_baseline_is_refused_with_those_that_have_one(shelf: Shelf) -> None:
    with pytest.raises(InputError, match="nothing of ssh://pi@host; it has pi") as raised:
        shelf.read("main", "ssh://pi@host")

    assert raised.value.hint == "edgekit baseline save main MODEL --device ssh://pi@host"


@pytest.mark.parametrize("name", ["../x", "", "a/b", "-x", ".x", "x" * 65, "a b", "ä"])
def test_name_that_is_no_folders_is_refused(shelf: Shelf, name: str) -> None:
    with pytest.raises(UsageError, match="no name for a baseline"):
        shelf.read(name, "pi")


def damaged(shelf: Shelf, content: bytes | dict[str, object]) -> None:
    path = shelf.folder / "main" / "pi" / FILE_NAME
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"\xff\xfe", b"[]", b"null", b"[" * 100_000, b'{"schema": "edgekit.gate/1"}', b'{"schema": 1}'],
)
def test_file_that_is_no_baseline_is_refused(shelf: Shelf, content: bytes) -> None:
    damaged(shelf, content)

    with pytest.raises(InputError) as raised:
        shelf.read("main", "pi")

    assert FILE_NAME in raised.value.message
    assert "save it again" in str(raised.value.hint)


def test_figure_that_was_changed_is_not_believed(shelf: Shelf) -> None:
    damaged(shelf, kept().as_json() | {"floor": 0.5})

    with pytest.raises(VerificationError, match="was changed after it was saved"):
        shelf.read("main", "pi")


def test_baseline_with_a_right_digest_and_wrong_content_is_refused(shelf: Shelf) -> None:
    document = {"schema": "edgekit.baseline/1", "name": "main"}
    damaged(shelf, document | {"sha256": sha256_json(document)})

    with pytest.raises(InputError, match="is no baseline"):
        shelf.read("main", "pi")


def test_baseline_of_a_newer_edgekit_is_refused(shelf: Shelf) -> None:
    damaged(shelf, {"schema": "edgekit.baseline/2"})

    with pytest.raises(ConfigurationError, match=r"is edgekit\.baseline/2") as raised:
        shelf.read("main", "pi")

    assert raised.value.hint == "upgrade edgekit"


def test_artifact_that_is_another_file_is_refused(shelf: Shelf) -> None:
    found = shelf.read("main", "pi")
    shelf.artifact(found).write_bytes(NEW)

    with pytest.raises(VerificationError, match="another file than was measured"):
        shelf.artifact(found)


def test_artifact_that_is_gone_is_refused(shelf: Shelf) -> None:
    found = shelf.read("main", "pi")
    shelf.artifact(found).unlink()

    with pytest.raises(InputError, match="does not exist"):
        shelf.artifact(found)


def test_damaged_baseline_is_listed_and_can_be_removed(shelf: Shelf, artifact: Path) -> None:
    shelf.write(kept(device="pi5"), artifact)
    damaged(shelf, b"{")

    listed = {device: found for _, device, found in shelf.read_all()}

    assert isinstance(listed["pi"], InputError)
    assert isinstance(listed["pi5"], Baseline)
    assert shelf.remove("main", "pi") == ["pi"]
    assert shelf.devices("main") == ["pi5"]


def test_removal_of_all_leaves_no_folder(shelf: Shelf, artifact: Path) -> None:
    shelf.write(kept(device="pi5"), artifact)

    assert shelf.remove("main") == ["pi", "pi5"]

    assert not (shelf.folder / "main").exists()
    with pytest.raises(InputError, match="no baseline 'main'"):
        shelf.remove("main")


def test_folder_that_may_not_be_written_to_is_refused_before_anything_is_measured(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: path != tmp_path)  # root may write everywhere

    with pytest.raises(InputError, match="may not be written to"):
        Shelf(folder=tmp_path / "baselines").require_writable("main", "pi")


def test_file_in_the_place_of_a_folder_is_refused_before_anything_is_measured(tmp_path: Path) -> None:
    (tmp_path / "baselines").write_text("")

    with pytest.raises(InputError, match="is no folder"):
        Shelf(folder=tmp_path / "baselines").require_writable("main", "pi")


@pytest.mark.parametrize(
    ("device", "folder"),
    [("pi", "pi"), ("local://", "local"), ("ssh://pi@host:22", "ssh-pi-host-22"), ("../..", "device"), ("ä", "device")],
)
def test_device_becomes_a_folder(device: str, folder: str) -> None:
    assert slug(device) == folder
    assert slug(slug(device)) == folder


def test_baselines_lie_beside_the_project_or_in_the_users_data(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("EDGEKIT_DATA_DIR", str(tmp_path))

    assert default_folder(Path("/p")) == Path("/p/baselines")
    assert default_folder(None) == tmp_path / "baselines"
