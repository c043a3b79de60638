"""Trials in MLflow: written once, found again, with what a reader needs; a real MLflow on a local folder."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest

from edgekit.core.errors import InputError, NetworkError
from edgekit.core.search.trial import State, Trial
from edgekit.flows.searching.tracking import DATABASE, log_trials
from tests.unit.flows.searching.points import trial

TRIALS = [
    trial(0, 0.9, 100.0, proxies={"synflow": 3.0}, seconds={"static": 1.5}, device_s=2.0),
    trial(1, state=State.INFEASIBLE, values={"ram_bytes": 9.0}, violations={"ram_bytes": 1.0}, reason="RAM"),
    trial(2, float("nan"), state=State.FAILED, reason="accuracy is NaN"),
    Trial(number=3, params={}, state=State.RUNNING),
]


def runs(folder: Path) -> dict[str, Any]:
    pytest.importorskip("mlflow")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from mlflow.tracking import MlflowClient

        client = MlflowClient(tracking_uri=f"sqlite:///{folder / DATABASE}")
        experiment = client.get_experiment_by_name("lenet5-board.search")
        found = client.search_runs([experiment.experiment_id])
    return {run.data.tags["edgekit.trial"]: run for run in found}


def test_each_finished_trial_is_a_run(tmp_path):
    pytest.importorskip("mlflow")

    written = log_trials(str(tmp_path / "ml"), "lenet5-board.search", "board", TRIALS, [0])

    found = runs(tmp_path / "ml")
    assert (written, sorted(found)) == (3, ["0", "1", "2"])
    first, beyond, failed = (found[number] for number in "012")
    assert first.data.metrics == {
        "accuracy": 0.9, "instructions": 100.0, "proxy.synflow": 3.0, "seconds.static": 1.5, "device_s": 2.0,
    }  # fmt: skip
    assert first.data.params == {"sparsity": "0"}
    assert (first.info.status, first.info.start_time, first.info.end_time) == ("FINISHED", 1_000_000, 1_000_500)
    assert first.data.tags["edgekit.front"] == "true"
    assert (beyond.info.status, beyond.data.tags["edgekit.reason"]) == ("KILLED", "RAM")
    assert beyond.data.metrics["violation.ram_bytes"] == 1.0
    assert failed.info.status == "FAILED"
    assert "accuracy" not in failed.data.metrics  # it is no number


def test_trials_are_not_written_twice_and_the_front_is_marked_anew(tmp_path):
    pytest.importorskip("mlflow")
    log_trials(str(tmp_path), "lenet5-board.search", "board", TRIALS[:1], [0])

    written = log_trials(str(tmp_path), "lenet5-board.search", "board", TRIALS, [])

    found = runs(tmp_path)
    assert (written, len(found)) == (2, 3)
    assert found["0"].data.tags["edgekit.front"] == "false"


def test_place_that_is_a_file_is_refused(tmp_path):
    pytest.importorskip("mlflow")
    (tmp_path / "file").touch()

    with pytest.raises(InputError, match="cannot be made"):
        log_trials(str(tmp_path / "file"), "s", "board", TRIALS, [])


def test_server_that_does_not_answer_is_named_without_its_password(monkeypatch):
    pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")

    with pytest.raises(NetworkError, match=r"127\.0\.0\.1:9/") as raised:
        log_trials("http://me:secret@127.0.0.1:9/", "s", "board", TRIALS, [])

    assert "secret" not in raised.value.message
