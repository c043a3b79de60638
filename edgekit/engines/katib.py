"""Katib: a Kubernetes experiment that searches the same space on a cluster; written here, run there."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from edgekit.core.errors import UnsupportedError
from edgekit.core.search.space import Choice, Parameter, Real, Value, check_space
from edgekit.engines._base import Engine, Study, StudyPlan

_ALGORITHMS = {"tpe": "multivariate-tpe", "random": "random", "grid": "grid"}
"""Our strategies in Katib's words (Katib 0.17 and later)."""
_CONTAINER = "trial"
_FAILED_SHARE = 0.5
"""The experiment ends when so many of its trials failed."""


class KatibEngine(Engine):
    """Katib, which proposes points in its own cluster and opens no study here."""

    strategies = tuple(_ALGORITHMS)

    def open(self, plan: StudyPlan, *, create: bool) -> Study:  # noqa: ARG002 -- it opens none
        """Refuse; see `experiment`."""
        raise UnsupportedError(
            "Katib searches in a Kubernetes cluster, not here",
            hint="--export-katib FILE writes its experiment; --engine optuna searches here",
        )


ENGINE = KatibEngine()


def experiment(
    plan: StudyPlan,
    *,
    image: str,
    command: Sequence[str],
    trials: int,
    parallel: int = 3,
    namespace: str = "kubeflow",
) -> dict[str, Any]:
    """A Katib experiment (kubeflow.org/v1beta1) whose pods each try one point.

    Katib minds one goal: the plan's first. The others are collected and shown. It knows no constraints: a trial beyond
    a limit must end with an exit code other than 0, and fails there.

    Args:
        plan: of the study; its storage and identity are not used.
        image: of the pods, with edgekit and what `command` reads.
        command: what a pod runs. `--point NAME=VALUE` is added for each parameter; strings are given as they are,
            other values as JSON. It prints a line METRIC=VALUE for each goal.
        trials: most trials.
        parallel: at once.
        namespace: of Kubernetes.

    Returns:
        A document for `kubectl apply -f`, which takes JSON.

    Raises:
        UnsupportedError: the space has conditions or functions, or Katib has no such strategy.
        ConfigurationError: the space makes no sense.
    """
    _check(plan)
    check_space(plan.parameters)
    first, *others = plan.goals
    words = {parameter.name: f"p{place}" for place, parameter in enumerate(plan.parameters)}
    points = [word for name in words for word in ("--point", f"{name}=${{trialParameters.{words[name]}}}")]
    return {
        "apiVersion": "kubeflow.org/v1beta1",
        "kind": "Experiment",
        "metadata": {"name": _dns_label(plan.name), "namespace": namespace},
        "spec": {
            "objective": {
                "type": "maximize" if first.maximize else "minimize",
                "objectiveMetricName": first.metric,
                "additionalMetricNames": [goal.metric for goal in others],
                "metricStrategies": [{"name": goal.metric, "value": "latest"} for goal in plan.goals],
            },
            "algorithm": {
                "algorithmName": _ALGORITHMS[plan.strategy],
                "algorithmSettings": []
                if plan.strategy == "grid"
                else [{"name": "random_state", "value": str(plan.seed)}],
            },
            "parallelTrialCount": min(parallel, trials),
            "maxTrialCount": trials,
            "maxFailedTrialCount": max(1, int(trials * _FAILED_SHARE)),
            "metricsCollectorSpec": {"collector": {"kind": "StdOut"}},
            "parameters": [_parameter(parameter) for parameter in plan.parameters],
            "trialTemplate": {
                "primaryContainerName": _CONTAINER,
                "trialParameters": [
                    {"name": word, "description": name, "reference": name} for name, word in words.items()
                ],
                "trialSpec": _job(image, [*command, *points]),
            },
        },
    }


def text_of(value: Value) -> str:
    """A value as `--point` and Katib's lists have it: strings as they are, the rest as JSON."""
    return value if isinstance(value, str) else json.dumps(value)


def _check(plan: StudyPlan) -> None:
    if plan.strategy not in _ALGORITHMS:
        raise UnsupportedError(
            f"Katib knows no strategy {plan.strategy!r} here", hint=f"known: {', '.join(_ALGORITHMS)}"
        )
    if not plan.parameters or any(parameter.when for parameter in plan.parameters):
        raise UnsupportedError(
            "Katib takes declared parameters that all count in every point",
            hint="--engine optuna takes conditions, and functions that declare parameters as they run",
        )
    for parameter in plan.parameters:
        if isinstance(parameter, Choice) and len({text_of(value) for value in parameter.values}) < len(
            parameter.values
        ):
            raise UnsupportedError(
                f"two values of {parameter.name!r} are the same text, and Katib's values are text",
                hint="give the parameter values of one type",
            )
        if isinstance(parameter, Real) and plan.strategy == "grid":
            raise UnsupportedError(
                f"a grid needs values, and {parameter.name!r} is a real number",
                hint="take --strategy random, or give the parameter its values",
            )


def _parameter(parameter: Parameter) -> dict[str, Any]:
    if isinstance(parameter, Choice):
        listed = {"list": [text_of(value) for value in parameter.values]}
        return {"name": parameter.name, "parameterType": "categorical", "feasibleSpace": listed}
    space = {"min": str(parameter.low), "max": str(parameter.high)}
    if parameter.log:
        space["distribution"] = "logUniform"
    if isinstance(parameter, Real):
        return {"name": parameter.name, "parameterType": "double", "feasibleSpace": space}
    return {"name": parameter.name, "parameterType": "int", "feasibleSpace": {**space, "step": str(parameter.step)}}


def _job(image: str, command: list[str]) -> dict[str, Any]:
    container = {"name": _CONTAINER, "image": image, "command": command}
    pod = {"containers": [container], "restartPolicy": "Never"}
    return {"apiVersion": "batch/v1", "kind": "Job", "spec": {"backoffLimit": 0, "template": {"spec": pod}}}


def _dns_label(name: str) -> str:
    """A name that Kubernetes takes (RFC 1123), at most 40 characters: Katib adds to it."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40].strip("-") or "search"
