"""Paths that hold no model, or another one a moment later (catalogue 29, 30)."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from edgekit.sources import _snapshot
from edgekit.sources._base import load_source
from tests.models import tflite_files

DENSE = tflite_files.packed(tflite_files.dense())


@pytest.fixture
def after_each_copy(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[int], None]], list[int]]:
    """Lets a test write to the source when a file was copied, and tells how many were."""

    def install(change: Callable[[int], None]) -> list[int]:
        copied: list[int] = []
        copyfile = shutil.copyfile

        def copy_and_change(source: Path, target: Path) -> None:
            copyfile(source, target)
            copied.append(len(copied) + 1)
            change(copied[-1])

        monkeypatch.setattr(_snapshot.shutil, "copyfile", copy_and_change)
        return copied

    return install


def append(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


def test_29_file_that_keeps_changing_is_read_twice_and_refused(refusal, tmp_path, after_each_copy):
    path = tmp_path / "model.tflite"
    path.write_bytes(DENSE)
    copied = after_each_copy(lambda _: append(path))

    error = refusal(path)

    assert (error.exit_code, "source changed while it was read" in error.message) == (4, True)
    assert copied == [1, 2]
    assert not list((tmp_path / "work").rglob("model.tflite"))


def test_29_file_that_changed_once_is_read_again_in_its_new_state(tmp_path, isolate, after_each_copy):
    path = tmp_path / "model.tflite"
    path.write_bytes(DENSE[:100])
    copied = after_each_copy(lambda times: path.write_bytes(DENSE) if times == 1 else None)

    artifact, _ = load_source(path, work=tmp_path / "work", isolate=isolate)

    assert artifact.path.read_bytes() == DENSE
    assert copied == [1, 2]


def test_29_file_that_rests_is_read_once(tmp_path, isolate, after_each_copy):
    path = tmp_path / "model.tflite"
    path.write_bytes(DENSE)
    copied = after_each_copy(lambda _: None)

    load_source(path, work=tmp_path / "work", isolate=isolate)

    assert copied == [1]


def test_29_retouched_file_of_the_same_size_is_noticed(refusal, tmp_path, after_each_copy):
    path = tmp_path / "model.tflite"
    path.write_bytes(DENSE)

    def retouch(times: int) -> None:
        path.write_bytes(DENSE[:-1] + b"!")
        os.utime(path, ns=(times, times))

    after_each_copy(retouch)

    assert refusal(path).exit_code == 4


def test_29_files_that_join_a_folder_while_it_is_read_are_noticed(refusal, tmp_path, framework_models, after_each_copy):
    folder = tmp_path / "model"
    shutil.copytree(framework_models / "tiny_saved_model", folder)
    after_each_copy(lambda times: (folder / f"late{times}").write_bytes(b"x"))

    assert refusal(folder).exit_code == 4


def test_29_file_that_leaves_a_folder_while_it_is_read_is_left_out(
    tmp_path, isolate, framework_models, after_each_copy
):
    folder = tmp_path / "model"
    shutil.copytree(framework_models / "tiny_saved_model", folder)
    (folder / "assets" / "zz").write_bytes(b"temporary")
    after_each_copy(lambda _: (folder / "assets" / "zz").unlink(missing_ok=True))

    artifact, _ = load_source(folder, work=tmp_path / "work", isolate=isolate)

    assert (artifact.path / "saved_model.pb").is_file()
    assert not (artifact.path / "assets" / "zz").exists()


def test_29_model_that_vanishes_while_it_is_read_is_an_input_error(
    refusal, tmp_path, framework_models, after_each_copy
):
    folder = tmp_path / "model"
    shutil.copytree(framework_models / "tiny_saved_model", folder)
    after_each_copy(lambda _: shutil.rmtree(folder, ignore_errors=True))

    error = refusal(folder)

    assert (error.exit_code, "vanished" in error.message) == (3, True)


def test_29_command_ends_with_4_and_writes_no_bundle(edgekit, after_each_copy):
    path = edgekit.folder / "dense.tflite"
    after_each_copy(lambda _: append(path))

    ended = edgekit("compile", "dense.tflite", "--target", "host", "--recipe", "dynamic", "-o", "out.edgekit")

    assert (ended.code, "source changed" in ended.message) == (4, True)
    assert not (edgekit.folder / "out.edgekit").exists()


def _missing(path: Path) -> None:
    """Nothing."""


def _dangling(path: Path) -> None:
    path.symlink_to("nowhere")


def _device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def _loop(path: Path) -> None:
    path.symlink_to(path.name)


@pytest.mark.parametrize("make", [_missing, os.mkfifo, _device, _dangling, _loop])
def test_30_what_is_no_file_is_refused_without_blocking(refusal, tmp_path, make):
    make(tmp_path / "model")

    error = refusal(tmp_path / "model")

    assert error.exit_code == 3
    assert str(tmp_path / "model") in error.message


def test_30_file_without_permission_is_refused(refusal, tmp_path, monkeypatch):
    (tmp_path / "model").write_bytes(DENSE)
    monkeypatch.setattr("edgekit.core.files.os.access", lambda *_: False)  # root may read everything

    error = refusal(tmp_path / "model")

    assert (error.exit_code, "may not be read" in error.message) == (3, True)


def test_30_name_that_is_too_long_is_refused(refusal, tmp_path):
    assert refusal(tmp_path / ("x" * 300)).exit_code == 3


def test_30_path_below_a_file_is_refused(refusal, tmp_path):
    (tmp_path / "file").touch()

    assert refusal(tmp_path / "file" / "model").exit_code == 3


@pytest.fixture
def nothing_is_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails the test when a file is copied."""

    def refuse(source: Path, _target: Path) -> None:
        pytest.fail(f"{source} was copied")

    monkeypatch.setattr(_snapshot.shutil, "copyfile", refuse)


@pytest.mark.usefixtures("nothing_is_copied")
@pytest.mark.parametrize("path", ["/proc", "/", "/dev", "/sys"])
def test_30_folder_of_the_system_is_refused_unread(edgekit, path):
    ended = edgekit("inspect", path)

    assert (ended.code, f"the folder {path} is not a SavedModel" in ended.message) == (3, True)


@pytest.mark.usefixtures("nothing_is_copied")
@pytest.mark.parametrize("file", ["notes.txt", None])
def test_30_folder_that_is_no_saved_model_is_refused_unread(refusal, tmp_path, file):
    (tmp_path / "folder").mkdir()
    if file is not None:
        (tmp_path / "folder" / file).write_text("x")

    error = refusal(tmp_path / "folder")

    assert (error.exit_code, "no saved_model.pb" in error.message) == (3, True)


@pytest.mark.usefixtures("nothing_is_copied")
def test_30_model_folder_with_too_many_entries_is_refused_unread(refusal, tmp_path, monkeypatch):
    monkeypatch.setattr(_snapshot, "MAX_ENTRIES", 20)
    (tmp_path / "folder" / "deep").mkdir(parents=True)
    (tmp_path / "folder" / "saved_model.pb").write_bytes(b"x")
    for number in range(20):
        (tmp_path / "folder" / "deep" / str(number)).touch()

    error = refusal(tmp_path / "folder")

    assert (error.exit_code, "more than 20 entries" in error.message) == (3, True)


@pytest.mark.usefixtures("nothing_is_copied")
def test_30_file_that_is_too_large_is_refused_unread(edgekit):
    with (edgekit.folder / "large.tflite").open("wb") as file:
        file.truncate(9 * 2**30)  # a hole: takes no space on the disk

    ended = edgekit("inspect", "large.tflite")

    assert (ended.code, "larger than 8 GiB" in ended.message) == (14, True)


@pytest.mark.usefixtures("nothing_is_copied")
@pytest.mark.parametrize("files", [1, 3])
def test_30_model_folder_that_is_too_large_is_refused_unread(refusal, tmp_path, files):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "saved_model.pb").write_bytes(b"x")
    for number in range(files):
        with (tmp_path / "folder" / f"weights{number}").open("wb") as file:
            file.truncate(9 * 2**30 // files)  # a hole: takes no space on the disk

    error = refusal(tmp_path / "folder")

    assert (error.exit_code, "larger than 8 GiB" in error.message) == (14, True)


@pytest.mark.parametrize("make", [os.mkfifo, _device])
def test_30_saved_model_with_something_odd_inside_is_refused(refusal, tmp_path, framework_models, make):
    shutil.copytree(framework_models / "tiny_saved_model", tmp_path / "model")
    make(tmp_path / "model" / "odd")

    assert refusal(tmp_path / "model").exit_code in (3, 4)


@pytest.mark.parametrize("target", ["/etc", "/etc/passwd", "nowhere", "."])
def test_30_saved_model_with_a_link_inside_is_refused(refusal, tmp_path, framework_models, target):
    shutil.copytree(framework_models / "tiny_saved_model", tmp_path / "model")
    (tmp_path / "model" / "assets" / "odd").symlink_to(target)

    error = refusal(tmp_path / "model")

    assert (error.exit_code, "link" in error.message) == (4, True)
