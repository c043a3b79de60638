"""edgekit search as a user runs it: a front, its files, the point that is deployed, Ctrl-C, and going on."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.bundle.pack import Bundle
from tests.models.json_schemas import check_document
from tests.unit.cli.conftest import Cli, make_cli, only_document

_LIMIT_S = 120.0


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> tuple[Cli, dict[str, Any]]:
    """A command line whose folder holds a finished search of three trials, and what the search printed."""
    cli = make_cli(tmp_path_factory.mktemp("search"))
    rng = np.random.default_rng(0)
    np.save(cli.folder / "train.npy", rng.normal(size=(20, 4)).astype(np.float32))
    np.savez(cli.folder / "test.npz", x=rng.normal(size=(40, 4)).astype(np.float32), y=rng.integers(0, 3, 40))
    ended = cli(*SEARCH, "--trials", "3", "--mlflow", "ml", "--html", "front.html", "--json")
    assert ended.returncode == 0, ended.stderr
    return cli, only_document(ended)


DATA = ("--calibration-data", "train.npy", "--eval-data", "test.npz")
SEARCH = ("search", "dense.tflite", "--target", "host", *DATA)


def test_search_ends_with_a_front_whose_points_are_bundles(searched):
    cli, document = searched

    folder = cli.folder / "dense-host.search"
    assert document["counts"]["total"] == 3
    assert document["front"]
    for point in document["front"]:
        manifest = Bundle.open(folder / point["bundle"]).manifest
        assert manifest.files[manifest.model].sha256 == point["artifact"]
    assert json.loads((folder / "search.json").read_text())["front"] == document["front"]
    assert (folder / "search.html").read_bytes() == (cli.folder / "front.html").read_bytes()
    assert (cli.folder / "ml" / "mlflow.db").exists()
    check_document(document, "search_result")


def test_command_of_a_point_deploys_it(searched):
    cli, document = searched
    point = document["front"][-1]

    ended = cli(*point["deploy"].split()[1:], "--device", "local", "--no-profile", "--json")

    deployed = only_document(ended)
    assert ended.returncode == 0, ended.stderr
    assert deployed["evaluation"]["artifact_sha256"] == point["artifact"]
    accuracy = deployed["evaluation"]["accuracy"]["value"]
    assert accuracy == pytest.approx(point["values"]["accuracy"], abs=0.001)


def test_stored_run_is_shown_again(searched):
    cli, document = searched

    ended = cli("report", document["run_id"], "--markdown", "run.md")

    assert ended.returncode == 0, ended.stderr
    assert "## The front" in (cli.folder / "run.md").read_text(encoding="utf-8")


def test_interrupted_search_says_how_to_go_on_and_goes_on(searched, tmp_path):
    cli, _ = searched
    study = tmp_path / "long.search"
    words = (*SEARCH, "--study", study, "--budget-minutes", "5")

    running = cli.start(*words)
    try:
        _wait_for(study / "workers.log", running)  # of the first worker: the search has begun
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=_LIMIT_S)
    finally:
        cli.end()
    resumed = cli(*words[:-2], "--trials", "2", "--resume", "--json")

    assert running.returncode == 130, out + err
    assert "--resume goes on" in err
    assert (study / "search.json").exists()
    document = only_document(resumed)
    assert resumed.returncode == 0, resumed.stderr
    assert document["counts"]["complete"] >= 2
    assert all(point["bundle"] for point in document["front"])


def _wait_for(path: Path, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + _LIMIT_S
    while not path.exists():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.05)
