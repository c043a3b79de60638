"""Trials as runs of MLflow, for those who keep their experiments there: the only importer of mlflow."""

from __future__ import annotations

import logging
import math
import os
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.core.errors import InputError, NetworkError, UnsupportedError
from edgekit.core.search.trial import FINISHED, State

if TYPE_CHECKING:
    from edgekit.core.search.trial import Trial

DATABASE = "mlflow.db"
"""In a folder that is named as the place of the runs; MLflow itself no longer writes bare folders."""

_TRIAL = "edgekit.trial"
_SECRET = re.compile(r"//[^/\s@]*@")
"""User and password of a URL, which messages repeat."""

_LONGEST = 500
"""Characters of a parameter; servers refuse longer ones."""

_STATUS = {State.COMPLETE: "FINISHED", State.FAILED: "FAILED"}
"""Of an MLflow run; every other end is a KILLED one, with its reason in a tag."""


def check_place(place: str, study: str) -> None:
    """Find out, before hours of work, whether trials can be logged there; the experiment is made where it is not.

    Raises:
        EdgekitError: as `log_trials`.
    """
    with _client(place) as client:
        _experiment(client, study, place)


def log_trials(place: str, study: str, target: str, trials: Sequence[Trial], front: Sequence[int]) -> int:
    """Write each finished trial as a run of the experiment `study`; those that are there are only marked anew.

    Args:
        place: an MLflow tracking URI, or a local folder, which gets `mlflow.db` and `artifacts`.
        study: name of the study.
        target: name of the target.
        trials: all of the study.
        front: numbers of the front's trials, tagged `edgekit.front`.

    Returns:
        How many runs were written.

    Raises:
        UnsupportedError: MLflow is not installed.
        InputError: the place is none.
        NetworkError: the server does not answer.
    """
    with _client(place) as client:
        experiment = _experiment(client, study, place)
        known = {run.data.tags.get(_TRIAL): run.info.run_id for run in _runs(client, experiment)}
        written = 0
        for trial in trials:
            if trial.state not in FINISHED or trial.outcome is None:
                continue
            run = known.get(str(trial.number))
            if run is None:
                run = _write(client, experiment, trial, {"edgekit.study": study, "edgekit.target": target})
                written += 1
            client.set_tag(run, "edgekit.front", str(trial.number in front).lower())
    return written


@contextmanager
def _client(place: str) -> Iterator[Any]:
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # it would tell its makers of each use
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")  # 7, with minutes between them, if nobody says
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its own storage layer uses what SQLAlchemy deprecates
        try:
            from mlflow.exceptions import MlflowException
            from mlflow.tracking import MlflowClient
        except ImportError as cause:
            raise UnsupportedError(
                "--mlflow needs MLflow", hint="pip install 'edgekit-deploy[mlflow]', or leave out --mlflow"
            ) from cause
        logging.getLogger("mlflow").setLevel(logging.WARNING)  # it tells of each table that it makes
        try:
            yield MlflowClient(tracking_uri=_uri(place))
        except (MlflowException, OSError) as cause:
            first = _SECRET.sub("//", str(cause).partition("\n")[0])
            if place.startswith(("http://", "https://")):
                raise NetworkError(
                    f"MLflow at {_SECRET.sub('//', place)} does not take the trials: {first}",
                    hint="the study is complete without it; edgekit search ... --resume --mlflow tries again",
                ) from cause
            raise InputError(
                f"MLflow cannot write to {_SECRET.sub('//', place)}: {first}",
                hint="give a folder, or the URI of a server",
            ) from cause


def _uri(place: str) -> str:
    if "://" in place or place.startswith("file:"):
        return place
    folder = Path(place).absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as cause:
        raise InputError(f"MLflow's folder {place} cannot be made: {cause.strerror}", hint="choose another") from cause
    return f"sqlite:///{folder / DATABASE}"


def _experiment(client: Any, name: str, place: str) -> str:
    found = client.get_experiment_by_name(name)
    if found is not None:
        return str(found.experiment_id)
    artifacts = None if "://" in place or place.startswith("file:") else (Path(place).absolute() / "artifacts").as_uri()
    return str(client.create_experiment(name, artifact_location=artifacts))


def _runs(client: Any, experiment: str) -> Iterator[Any]:
    token = None
    while True:
        page = client.search_runs([experiment], max_results=1000, page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def _write(client: Any, experiment: str, trial: Trial, tags: dict[str, str]) -> str:
    from mlflow.entities import Metric, Param

    outcome = trial.outcome
    assert outcome is not None
    began, ended = (None if at is None else int(1000 * at) for at in (trial.began, trial.ended))
    run = client.create_run(
        experiment,
        start_time=began,
        run_name=f"trial {trial.number}",
        tags={
            **tags, _TRIAL: str(trial.number), "edgekit.state": str(outcome.state), "edgekit.stage": outcome.stage,
            "edgekit.reason": outcome.reason[:_LONGEST], "edgekit.artifact": outcome.artifact,
            "edgekit.measured": " ".join(sorted(outcome.measured)),
        },
    )  # fmt: skip
    figures = {
        **outcome.values,
        **{f"violation.{name}": value for name, value in outcome.violations.items()},
        **{f"proxy.{name}": value for name, value in outcome.proxies.items()},
        **{f"seconds.{name}": value for name, value in outcome.seconds.items()},
        "device_s": outcome.device_s,
    }
    at = ended or began or 0
    client.log_batch(
        run.info.run_id,
        metrics=[Metric(name, value, at, 0) for name, value in figures.items() if math.isfinite(value)],
        params=[Param(name, str(value)[:_LONGEST]) for name, value in trial.params.items()],
    )
    client.set_terminated(run.info.run_id, status=_STATUS.get(outcome.state, "KILLED"), end_time=ended)
    return str(run.info.run_id)
