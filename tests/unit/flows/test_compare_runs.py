"""Two stored runs: what forbids a verdict, what is only told, and what changed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from edgekit.core.answers import Answers
from edgekit.core.errors import InputError
from edgekit.core.measurement import InstructionCount, Measurement, OperatorRun, Plan, Provenance, Validity
from edgekit.flows.comparing.comparability import differences, facts, refusals
from edgekit.flows.comparing.runs import SESSIONS_MARGIN, compare_runs
from edgekit.flows.measured_document import profile_document
from edgekit.flows.record import KeptRun
from tests.models.measurements import measurement

AS_BEFORE = [10.0, 10.1, 9.9, 10.05, 9.95, 10.02, 9.98, 10.01]
SLOWER = [median * 1.2 for median in AS_BEFORE]
SET, OTHER_SET = "1" * 64, "2" * 64


def measured(run_id: str, medians: list[float], **fields: Any) -> KeptRun:
    taken = measurement(medians, **fields)
    return KeptRun(run_id=run_id, document=profile_document(taken) | {"run_id": run_id}, measurement=taken)


def evaluated(run_id: str, right: list[bool], *, dataset: str = SET, metric: str = "top1") -> KeptRun:
    answers = Answers(metric=metric, dataset_digest=dataset, right=np.array(right))
    document = {
        "schema": "edgekit.evaluate/1",
        "device": "pi",
        "artifact_sha256": "a" * 64,
        "dataset_sha256": dataset,
        "metric": None if metric == "top1" else {"name": metric},
        "answers": answers.as_json(),
    }
    return KeptRun(run_id=run_id, document=document, measurement=None)


def test_slower_run_is_called_slower_and_not_of_one_session():
    document = compare_runs(measured("a", AS_BEFORE), measured("b", SLOWER))

    latency = document["latency"]
    assert (latency["change"], latency["one_session"], document["refused"]) == ("slower", False, {})
    assert latency["ratio"] == pytest.approx(1.2)
    assert latency["ci95"][0] > 1.1
    assert latency["margin"] == SESSIONS_MARGIN
    assert "confirm with edgekit compare A B --device" in latency["reason"]


def test_same_two_runs_give_the_same_document():
    runs = measured("a", AS_BEFORE), measured("b", SLOWER)

    assert compare_runs(*runs) == compare_runs(*runs)


@pytest.mark.parametrize(
    ("what", "fields", "blocked"),
    [
        ("device", {"device": "other"}, {"latency", "memory"}),
        ("provenance", {"provenance": Provenance.EMULATED}, {"latency", "memory"}),
        ("runtime", {"plan": Plan(runtime="tflite_runtime")}, {"latency", "memory"}),
        ("threads", {"plan": Plan(runtime="litert", threads=4)}, {"latency", "memory"}),
        ("kernels", {"plan": Plan(runtime="litert", kernels="reference")}, {"latency", "memory"}),
        ("affinity", {"plan": Plan(runtime="litert", affinity=(1, 2))}, {"latency"}),
        ("mode", {"plan": Plan(runtime="litert", mode="quick")}, {"latency"}),
        ("kernel", {"environment": {"before": {"kernel": "6.6"}}}, {"latency"}),
        ("artifact", {"artifact_digest": "b" * 64}, set()),
        ("inputs", {"validity": (Validity.SYNTHETIC,)}, set()),
        ("validity_of_b", {"validity": (Validity.INVALID,)}, {"latency"}),
    ],
)
def test_difference_blocks_the_figures_that_it_spoils(what: str, fields: dict[str, Any], blocked: set[str]) -> None:
    document = compare_runs(measured("a", AS_BEFORE), measured("b", SLOWER, **fields))

    (difference,) = document["comparability"]
    assert difference["what"] == what
    assert difference["reason"]
    assert set(document["refused"]) == blocked
    assert all(document[figure] is None for figure in blocked)
    assert (document["latency"] is None) == ("latency" in blocked)


def test_other_version_of_the_runtime_blocks_and_is_named():
    environment = {"before": {"kernel": "6.1", "runtime": {"ai-edge-litert": "2.2.0"}}}
    newer = {"before": {"kernel": "6.1", "runtime": {"ai-edge-litert": "2.3.0"}}}

    document = compare_runs(measured("a", AS_BEFORE, environment=environment), measured("b", SLOWER, environment=newer))

    (difference,) = document["comparability"]
    assert (difference["a"], difference["b"]) == ({"ai-edge-litert": "2.2.0"}, {"ai-edge-litert": "2.3.0"})
    assert "another version" in document["refused"]["latency"]


def test_what_only_one_run_tells_is_no_difference():
    told = facts({}, measurement(AS_BEFORE, environment={"before": {"kernel": "6.1", "governor": "performance"}}))
    silent = facts({}, measurement(AS_BEFORE, environment={"before": {}}))

    assert differences(told, silent) == ()


def test_reasons_of_a_figure_are_all_named():
    one, other = measurement(AS_BEFORE), measurement(AS_BEFORE, device="other", plan=Plan(runtime="litert", threads=2))

    found = refusals(differences(facts({}, one), facts({}, other)), ("latency",))

    assert "device: " in found["latency"]
    assert "threads: " in found["latency"]
    assert "memory" not in found


def with_counts(taken: Measurement, instructions: int) -> Measurement:
    count = InstructionCount(
        value=instructions, low=instructions, high=instructions, calls=5, exact=True, source="qemu"
    )
    return replace(taken, instructions=count, operators=(OperatorRun(name="conv", op="CONV_2D", ns=(instructions,)),))


def test_instructions_memory_and_operators_are_told_with_their_ratio():
    first, second = (with_counts(measurement(AS_BEFORE), count) for count in (1000, 1500))
    runs = [KeptRun(run_id=name, document={}, measurement=one) for name, one in (("a", first), ("b", second))]

    document = compare_runs(*runs)

    assert document["instructions"]["ratio"] == 1.5
    assert document["instructions"]["a"]["exact"] is True
    assert document["memory"]["ratio"] == 1.0
    assert [row["ratio"] for row in document["operators"]] == [1.5]


def test_answers_to_the_same_samples_are_paired():
    before, after = [True] * 95 + [False] * 5, [True] * 90 + [False] * 10

    document = compare_runs(evaluated("a", before), evaluated("b", after), max_drop=0.02)

    accuracy = document["accuracy"]
    assert (accuracy["b"], accuracy["c"], accuracy["outcome"]) == (5, 0, "fail")
    assert accuracy["drop"] == pytest.approx(0.05)


@pytest.mark.parametrize(("changes", "what"), [({"dataset": OTHER_SET}, "dataset"), ({"metric": "top5"}, "metric")])
def test_answers_to_other_samples_or_by_another_metric_are_not_paired(changes: dict[str, str], what: str) -> None:
    document = compare_runs(evaluated("a", [True] * 9), evaluated("b", [True] * 9, **changes))

    assert document["accuracy"] is None
    assert what in document["refused"]["accuracy"]


def counted(run_id: str, instructions: int, *, device: str = "qemu://cortex_m4") -> KeptRun:
    count = {"value": instructions, "low": instructions, "high": instructions, "calls": 1, "exact": True}
    document = {
        "schema": "edgekit.profile/1",
        "device": device,
        "artifact_sha256": "a" * 64,
        "provenance": "emulated",
        "instructions": {**count, "source": "qemu"},
    }
    return KeptRun(run_id=run_id, document=document, measurement=None)


def test_boards_are_compared_by_their_instructions():
    document = compare_runs(counted("a", 1000), counted("b", 900))

    assert document["instructions"]["ratio"] == 0.9
    assert document["runs"]["a"]["device"] == "qemu://cortex_m4"
    assert document["latency"] is None


def test_instructions_of_two_boards_are_not_compared():
    document = compare_runs(counted("a", 1000), counted("b", 900, device="qemu://cortex_m7"))

    assert document["instructions"] is None
    assert "device" in document["refused"]["instructions"]


def test_runs_with_nothing_in_common_are_an_error():
    with pytest.raises(InputError, match="no figure in common"):
        compare_runs(measured("a", AS_BEFORE), evaluated("b", [True]))


def test_damaged_answers_are_an_error_and_no_crash():
    broken = evaluated("a", [True] * 9)
    broken.document["evaluation" if "evaluation" in broken.document else "answers"]["right"] = "?"

    with pytest.raises(InputError, match="damaged"):
        compare_runs(broken, evaluated("b", [True] * 9))
