"""Katib's experiment is what its custom resource takes, and names every parameter, goal and value.

No cluster runs here, and `kubeflow-katib` is no dependency: the schema below states the fields of ExperimentSpec,
ObjectiveSpec, AlgorithmSpec, ParameterSpec, FeasibleSpace and TrialTemplate of kubeflow.org/v1beta1 that are used, and
refuses all others. Where `kubeflow-katib-api` is installed, its own classes read the experiment too.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from edgekit.core.errors import UnsupportedError
from edgekit.core.search.goals import Goal
from edgekit.core.search.space import Choice, Integer, Real
from edgekit.engines.katib import ENGINE, experiment
from tests.unit.engines.studies import SPACE, plan_in

MIXED = (
    Choice(name="quantize", values=("int8", "float32")),
    Choice(name="prune.sparsity", values=(0.5, 0.9, False)),
    Integer(name="width", low=8, high=32, step=8),
    Real(name="rate", low=1e-4, high=0.1, log=True),
)

TEXT = {"type": "string", "minLength": 1}
COUNT = {"type": "integer", "minimum": 1, "maximum": 2**31 - 1}


def record(required: dict[str, Any], optional: dict[str, Any] | None = None) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {**required, **(optional or {})},
        "required": sorted(required),
        "additionalProperties": False,
    }


def array(items: dict[str, Any], least: int = 0) -> dict[str, Any]:
    return {"type": "array", "items": items, "minItems": least}


PAIR = record({"name": TEXT, "value": TEXT})
FEASIBLE = record(
    {},
    {
        "min": TEXT,
        "max": TEXT,
        "step": TEXT,
        "list": array(TEXT, 1),
        "distribution": {"enum": ["uniform", "logUniform", "normal", "logNormal"]},
    },
)
CONTAINER = record({"name": TEXT, "image": TEXT, "command": array({"type": "string"}, 1)})
JOB = record(
    {
        "apiVersion": {"const": "batch/v1"},
        "kind": {"const": "Job"},
        "spec": record(
            {
                "backoffLimit": {"const": 0},
                "template": record(
                    {"spec": record({"containers": array(CONTAINER, 1), "restartPolicy": {"const": "Never"}})}
                ),
            }
        ),
    }
)
SPEC = record(
    {
        "objective": record(
            {"type": {"enum": ["minimize", "maximize"]}, "objectiveMetricName": TEXT},
            {
                "goal": {"type": "number"},
                "additionalMetricNames": array(TEXT),
                "metricStrategies": array(record({"name": TEXT, "value": {"enum": ["min", "max", "latest"]}})),
            },
        ),
        "algorithm": record(
            {"algorithmName": {"enum": ["random", "grid", "tpe", "multivariate-tpe"]}},
            {"algorithmSettings": array(PAIR)},
        ),
        "parameters": array(
            record(
                {
                    "name": TEXT,
                    "parameterType": {"enum": ["double", "int", "discrete", "categorical"]},
                    "feasibleSpace": FEASIBLE,
                }
            ),
            1,
        ),
        "trialTemplate": record(
            {
                "primaryContainerName": TEXT,
                "trialParameters": array(record({"name": TEXT, "reference": TEXT}, {"description": TEXT}), 1),
                "trialSpec": JOB,
            }
        ),
        "maxTrialCount": COUNT,
        "parallelTrialCount": COUNT,
        "maxFailedTrialCount": COUNT,
        "metricsCollectorSpec": record({"collector": record({"kind": {"const": "StdOut"}})}),
    }
)
NAME = {"type": "string", "pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", "maxLength": 63}
EXPERIMENT = record(
    {
        "apiVersion": {"const": "kubeflow.org/v1beta1"},
        "kind": {"const": "Experiment"},
        "metadata": record({"name": NAME, "namespace": NAME}),
        "spec": SPEC,
    }
)


def made(folder: Path, **changes: Any) -> dict[str, Any]:
    changes = {"name": "LeNet5_v2 board", "parameters": MIXED, "strategy": "tpe", **changes}
    return experiment(
        plan_in(folder, **changes),
        image="registry.example/edgekit:1",
        command=["edgekit", "search", "lenet5.keras", "--trials", "1"],
        trials=50,
    )


@pytest.mark.parametrize("strategy", ["tpe", "random", "grid"])
def test_experiment_is_what_the_resource_takes(tmp_path: Path, strategy: str) -> None:
    jsonschema = pytest.importorskip("jsonschema")

    document = made(tmp_path, strategy=strategy, parameters=MIXED[:3])

    jsonschema.Draft202012Validator(EXPERIMENT).validate(json.loads(json.dumps(document)))
    assert document["metadata"]["name"] == "lenet5-v2-board"


def test_katibs_own_classes_read_the_experiment(tmp_path: Path) -> None:
    models = pytest.importorskip("kubeflow_katib_api.models", reason="kubeflow-katib-api is not installed")

    document = made(tmp_path)
    spec = models.V1beta1ExperimentSpec.from_dict(document["spec"])

    assert spec.to_dict() == document["spec"]  # no field is unknown to them


def test_every_parameter_reaches_the_pod(tmp_path: Path) -> None:
    spec = made(tmp_path)["spec"]
    template = spec["trialTemplate"]
    (container,) = template["trialSpec"]["spec"]["template"]["spec"]["containers"]

    references = {each["name"]: each["reference"] for each in template["trialParameters"]}

    assert list(references.values()) == [parameter["name"] for parameter in spec["parameters"]]
    assert container["name"] == template["primaryContainerName"]
    assert container["command"][:5] == ["edgekit", "search", "lenet5.keras", "--trials", "1"]
    given = container["command"][5:]
    assert given[::2] == ["--point"] * 4
    assert given[1::2] == [f"{name}=${{trialParameters.{word}}}" for word, name in references.items()]


def test_values_are_katibs(tmp_path: Path) -> None:
    parameters = {each["name"]: each for each in made(tmp_path)["spec"]["parameters"]}

    assert parameters["prune.sparsity"]["feasibleSpace"] == {"list": ["0.5", "0.9", "false"]}
    assert parameters["width"]["feasibleSpace"] == {"min": "8", "max": "32", "step": "8"}
    assert parameters["rate"]["feasibleSpace"] == {"min": "0.0001", "max": "0.1", "distribution": "logUniform"}


def test_first_goal_is_the_objective(tmp_path: Path) -> None:
    goals = (Goal(metric="size_bytes"), Goal(metric="accuracy"))

    objective = made(tmp_path, goals=goals)["spec"]["objective"]

    assert (objective["type"], objective["objectiveMetricName"]) == ("minimize", "size_bytes")
    assert objective["additionalMetricNames"] == ["accuracy"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"parameters": SPACE}, "declared parameters that all count"),
        ({"parameters": ()}, "declared parameters that all count"),
        ({"strategy": "nsga2"}, "no strategy 'nsga2'"),
        ({"strategy": "grid"}, "'rate' is a real number"),
        ({"parameters": (Choice(name="a", values=("1", 1)),)}, "same text"),
    ],
)
def test_what_katib_cannot_search_is_refused(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(UnsupportedError, match=said):
        made(tmp_path, **changes)


def test_engine_points_to_the_export(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError) as caught:
        ENGINE.open(plan_in(tmp_path), create=True)

    assert "--export-katib" in str(caught.value.hint)
    assert list(tmp_path.iterdir()) == []
