"""Bad inputs of a search (issue's own list, 111 on): spaces, studies, limits, points that are none."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.models import tflite_files
from tests.models.command import edgekit, warm_child

__all__ = ["warm_child"]

DATA = ("--calibration-data", "train.npy", "--eval-data", "test.npz")
SEARCH = ("search", "dense.tflite", "--target", "host", "--trials", "1")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with dense.tflite, labelled samples, and a finished study of one trial, dense-host.search."""
    found = tmp_path_factory.mktemp("search")
    (found / "dense.tflite").write_bytes(tflite_files.packed(tflite_files.dense()))
    rng = np.random.default_rng(0)
    np.save(found / "train.npy", rng.normal(size=(20, 4)).astype(np.float32))
    np.savez(found / "test.npz", x=rng.normal(size=(40, 4)).astype(np.float32), y=rng.integers(0, 3, 40))
    edgekit(*SEARCH, *DATA, cwd=found)
    return found


def message(folder: Path, *arguments: object, fails: int) -> str:
    """What a command says that fails, hint included."""
    error = edgekit(*arguments, cwd=folder, fails=fails)["error"]
    return f"{error['message']} {error['hint']}"


def test_111_space_without_a_feasible_point_says_which_limit_excluded_how_many(folder):
    arguments = ("search", "dense.tflite", "-t", "host", "--trials", "1", "--study", "none.search")

    document = edgekit(*arguments, *DATA, "--at-most", "size=100", cwd=folder, fails=1)

    assert document["front"] == []
    assert document["counts"] == {"total": 1, "infeasible": 1}
    (limit,) = [limit for limit in document["limits"] if limit["source"] == "--at-most"]
    assert (limit["metric"], limit["most"], limit["excluded"]) == ("size_bytes", 100, 1)
    assert "excluded 1 of them" in (folder / "none.search" / "search.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("changed", "said"),
    [(("--max-drop", "0.5"), "limits"), (("--strategy", "grid"), "strategy"), (("--seed", "7"), "seed")],
)
def test_113_study_of_another_search_says_what_differs(folder, changed, said):
    before = (folder / "dense-host.search" / "study.json").read_bytes()

    told = message(folder, *SEARCH, *DATA, "--resume", *changed, fails=3)

    assert "is another one" in told
    assert said in told
    assert (folder / "dense-host.search" / "study.json").read_bytes() == before


def test_113_study_for_another_target_says_what_differs(folder):
    other = ("search", "dense.tflite", "--target", "rpi4", "--study", "dense-host.search", "--trials", "1")

    assert "target: host there, rpi4 now" in message(folder, *other, *DATA, "--resume", fails=3)


def test_113_study_of_another_version_is_not_touched(folder, tmp_path):
    study = tmp_path / "old.search"
    study.mkdir()
    written = json.loads((folder / "dense-host.search" / "study.json").read_text())
    (study / "study.json").write_text(json.dumps({**written, "schema": "edgekit.study/99"}))

    told = message(folder, *SEARCH, *DATA, "--study", study, "--resume", fails=3)

    assert "edgekit.study/99" in told
    assert [path.name for path in study.iterdir() if path.suffix != ".lock"] == ["study.json"]


def test_114_study_that_is_there_is_not_searched_in_without_resume(folder):
    assert "--resume goes on with it" in message(folder, *SEARCH, *DATA, fails=3)


def test_114_resume_needs_a_study(folder):
    told = message(folder, *SEARCH, *DATA, "--study", "nowhere.search", "--resume", fails=3)

    assert "no study to go on with" in told
    assert not (folder / "nowhere.search").exists()


@pytest.mark.parametrize(
    ("flags", "code", "said"),
    [
        (("--at-most", "ram=5 parsecs"), 2, "not a size"),
        (("--at-most", "accuracy=1"), 2, "--at-least accuracy=1"),
        (("--goal", "speed"), 2, "no metric 'speed'"),
        (("--workers", "0"), 2, "no number of processes"),
        (("--engine", "nni"), 14, "nni"),
        (("--strategy", "tpee"), 14, "tpe"),
        (("--storage", "mysql://me:secret@there/x"), 2, "postgresql"),
        (("--ray", "10.0.0.5:6379"), 2, "--storage postgresql://"),
        pytest.param(
            ("--space", "no_such_module:net", "--train-data", "test.npz"), 3, "no_such_module", marks=pytest.mark.full
        ),
        (("--space", "nowhere.toml"), 3, "nowhere.toml"),
        (("--html", "."), 3, "is a folder"),
        (("--device", "nobody"), 3, "nobody"),
    ],
)
def test_118_search_that_cannot_be_is_refused_before_a_trial(folder, tmp_path, flags, code, said):
    study = tmp_path / "fresh.search"

    told = message(folder, *SEARCH, *DATA, "--study", study, *flags, fails=code)

    assert said in told
    assert "secret" not in told
    assert not (study / "study.json").exists()  # the next try need not name another folder


@pytest.mark.parametrize(
    ("flags", "code", "said"),
    [
        (("--from-search", "nowhere"), 3, "no folder of a search"),
        (("--from-search", "dense-host.search", "--pick", "biggest"), 2, "names no point"),
        (("--from-search", "dense-host.search", "--pick", "99"), 2, "not in the front"),
        (("--pick", "smallest"), 2, "--from-search"),
        (("dense.tflite", "--from-search", "dense-host.search"), 2, "named too"),
        (("--from-search", "dense-host.search", "--target", "rpi4"), 2, "compiled for host"),
    ],
)
def test_119_point_that_is_none_is_not_deployed(folder, flags, code, said):
    assert said in message(folder, "deploy", *flags, "--device", "local", fails=code)
