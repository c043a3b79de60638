"""Our rules on what the GPU delegate takes; tests/integration/test_gpu_matrix.py holds them against the delegate."""

from __future__ import annotations

import pytest

from edgekit.core.tflite.accelerators import compatibility
from edgekit.core.tflite.gpu_rules import gpu_findings, spoken
from edgekit.core.tflite.model import parse_model
from edgekit.flows._child import facts
from tests.models import gpu_models, tflite_files


def test_refused_layer_is_named_with_its_reason():
    (finding,) = gpu_findings(parse_model(gpu_models.sum_of_three()))

    assert finding.as_json() == {
        "op": "ADD_N",
        "layer": "sum",
        "reason": "it adds 2 tensors, not 3",
        "is_refused": True,
    }


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("ADD, int64", "no int64 tensors"),
        ("ADD, 5 axes", "at most 4 axes"),
        ("BROADCAST_TO", "no such operator"),
        ("RESHAPE, at run time", "settles one at run time"),
        ("STRIDED_SLICE, backwards", "cannot slice backwards"),
    ],
)
def test_what_the_delegate_refuses_is_found(name: str, reason: str):
    (finding,) = gpu_findings(parse_model(gpu_models.sample()[name]))

    assert reason in finding.reason
    assert finding.is_refused


@pytest.mark.parametrize("name", ["CONV_2D, groups of 2", "CUMSUM, reverse", "PAD, batch"])
def test_what_the_delegate_gets_wrong_is_found(name: str):
    (finding,) = gpu_findings(parse_model(gpu_models.sample()[name]))

    assert not finding.is_refused


def test_open_batch_is_no_finding():
    assert gpu_findings(parse_model(gpu_models.open_batch())) == ()


def test_custom_operator_is_refused():
    (finding,) = gpu_findings(parse_model(tflite_files.packed(tflite_files.custom_op("FlexErf"))))

    assert finding.op == "FlexErf"


def test_operator_without_its_tensors_is_a_finding_and_no_crash():
    def cut(model):
        model.operatorCodes[0] = tflite_files.operator_code(gpu_models.schema.BuiltinOperator.GATHER)
        model.subgraphs[0].operators[0].inputs = [0]

    findings = gpu_findings(parse_model(tflite_files.dense_with(cut)))

    assert [finding.reason for finding in findings] == ["it lacks a tensor"]


def test_alike_findings_are_told_once():
    one = {"op": "PAD", "layer": "a", "reason": "why"}

    assert spoken([one, one | {"layer": "b"}, {"op": "ADD", "layer": None, "reason": "else"}]) == [
        "PAD 'a' and 1 more: why",
        "ADD: else",
    ]


def test_findings_are_among_the_facts_of_a_file(tmp_path):
    path = tmp_path / "sum.tflite"
    path.write_bytes(gpu_models.sum_of_three())

    verdict = compatibility(facts(str(path)))["gpu"]

    assert verdict.reasons == ("ADD_N 'sum': it adds 2 tensors, not 3",)
