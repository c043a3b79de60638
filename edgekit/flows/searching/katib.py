"""A search as a Kubernetes Katib experiment, and the single point that each of its pods tries."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from edgekit.core.errors import UsageError
from edgekit.core.events import OnEvent, ignore
from edgekit.core.files import write_atomically
from edgekit.core.search.space import Choice, Integer, Parameter, Real, Value
from edgekit.core.search.trial import Trial
from edgekit.core.suggest import did_you_mean
from edgekit.engines._base import StudyPlan
from edgekit.engines.katib import experiment
from edgekit.flows.searching.budget import Budget
from edgekit.flows.searching.planned import planned
from edgekit.flows.searching.request import SearchRequest
from edgekit.flows.searching.run import search

_TRIALS = 100
"""Of an experiment for which nobody says how many."""


def export_katib(request: SearchRequest, path: Path, *, image: str, command: Sequence[str]) -> dict[str, Any]:
    """Write the experiment; Katib and `kubectl` take JSON as they take YAML.

    Args:
        request: what to search; its engine and its devices stay out of it.
        path: of the file.
        image: of the pods, with edgekit, the model and the data.
        command: that each pod runs, with `--point NAME=VALUE` behind it.

    Returns:
        The experiment.

    Raises:
        UnsupportedError: Katib cannot search this space, or knows no such strategy.
        StorageError: the disk is full.
    """
    plan = planned(request)
    study = StudyPlan(
        name=request.folder.name,
        storage="",
        identity=plan.identity,
        parameters=plan.parameters,
        goals=plan.goals,
        limits=plan.limits,
        strategy=plan.strategy,
        seed=request.compile.seed,
    )
    document = experiment(
        study, image=image, command=command, trials=request.trials or _TRIALS, parallel=max(1, request.workers)
    )
    write_atomically(path, json.dumps(document, indent=2).encode() + b"\n")
    return document


def try_point(request: SearchRequest, texts: Sequence[str], on_event: OnEvent = ignore) -> Trial:
    """Try one point, as a study of a single trial.

    Args:
        request: of the search.
        texts: NAME=VALUE for each parameter; strings as they are, other values as JSON.
        on_event: listener.

    Raises:
        UsageError: the space has no such point.
        EdgekitError: see `run_search`.
    """
    plan = planned(request, on_event)
    point = parse_point(texts, plan.parameters)
    one = replace(plan, first_points=(point,))
    run = search(replace(request, trials=1, budget_s=None), one, Budget(trials=1), on_event)
    return run.trials[0]


def parse_point(texts: Sequence[str], parameters: Sequence[Parameter]) -> dict[str, Value]:
    """A point from NAME=VALUE.

    Raises:
        UsageError: a name or a value is not of the space.
    """
    known = {parameter.name: parameter for parameter in parameters}
    found: dict[str, Value] = {}
    for text in texts:
        name, _, value = text.partition("=")
        if name not in known:
            hint = did_you_mean(name, known) or f"it has {', '.join(known) or 'no declared ones'}"
            raise UsageError(f"--point: the space has no parameter {name!r}", hint=hint)
        found[name] = _value(known[name], value)
    return found


def _value(parameter: Parameter, text: str) -> Value:
    match parameter:
        case Choice():
            for value in parameter.values:
                if text == (value if isinstance(value, str) else json.dumps(value)):
                    return value
            raise UsageError(
                f"--point: {parameter.name} cannot be {text!r}",
                hint=f"it is one of {', '.join(map(str, parameter.values))}",
            )
        case Integer() | Real():
            try:
                number = int(text) if isinstance(parameter, Integer) else float(text)
            except ValueError as cause:
                raise UsageError(
                    f"--point: {parameter.name} is a number, not {text!r}", hint="write 3 or 0.5"
                ) from cause
            if not parameter.low <= number <= parameter.high:
                raise UsageError(
                    f"--point: {parameter.name} is from {parameter.low} to {parameter.high}, not {text}",
                    hint="choose one within",
                )
            return number
