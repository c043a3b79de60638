"""Comparing a float model with its artifact: errors of layers, accuracies of both, and what else could run them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edgekit.config.targets import load_target
from edgekit.core.errors import InputError
from edgekit.core.recipe import Step
from edgekit.core.tflite.accelerators import MCU_OPS, compatibility
from edgekit.core.tflite.gpu_rules import GPU_OPS
from edgekit.core.tflite.names import BUILTIN_OPERATORS
from edgekit.data import load_dataset
from edgekit.flows.compare import compare_models, layer_errors
from edgekit.flows.trials import run_steps
from edgekit.report import build_page, html

FACTS: dict[str, Any] = {
    "ops": [{"name": "CONV_2D", "count": 1, "version": 1, "custom": False}],
    "dtypes": ["float32"],
    "open_shapes": [],
    "hybrid_ops": [],
    "gpu_findings": [],
}


def made(at, *steps: Step):
    artifacts, _ = run_steps(at.source, steps, at.meter.context)
    return artifacts[-1]


def test_worst_layer_of_int8_is_behind_the_spoilt_range(bench):
    at = bench("spoilt", max_drop=0.02, samples=60)

    errors = layer_errors(
        at.reference, made(at, Step(pass_name="int8")), at.meter.evaluation, tools=at.meter.tools, samples=16
    )

    by_name = {error.name.split("/")[1] if "/" in error.name else error.name: error for error in errors}
    assert by_name["loud_1"].snr_db > 30  # its own values survive: the loud channel has nearly all the power
    assert by_name["listener_1"].snr_db < 5
    assert by_name["listener_1"].max_abs_error > by_name["listener_1"].max_abs_value / 2
    assert all(error.matched_by == "name" for error in errors)


def test_same_file_has_no_error(bench):
    at = bench("spoilt", max_drop=0.02, samples=60)

    errors = layer_errors(at.reference, at.reference, at.meter.evaluation, tools=at.meter.tools, samples=4)

    assert len(errors) == 8
    assert {(error.mse, error.max_abs_error, error.snr_db) for error in errors} == {(0.0, 0.0, None)}
    assert all(error.cosine == pytest.approx(1.0) for error in errors)


def test_document_of_two_files_is_drawn(bench, spoilt_models: Path, tmp_path: Path):
    at = bench("spoilt", max_drop=0.02, samples=60)
    artifact = tmp_path / "int8.tflite"
    artifact.write_bytes(made(at, Step(pass_name="int8")).path.read_bytes())
    data = load_dataset(f"{spoilt_models}/images_test.npz", None, limit=60)

    document = compare_models(spoilt_models / "spoilt.keras", artifact, load_target("host"), data, layers=True)
    page = html.render(build_page(document))

    assert document["outputs"]["drop"]["value"] > 0.5
    assert document["layers"][0]["snr_db"] == min(layer["snr_db"] for layer in document["layers"])
    assert document["artifact"]["runs_on"]["mcu"]["compatible"] is True
    assert "Signal to noise of each layer" in page
    assert "listener_1" in page


def test_layers_without_data_are_an_error(spoilt_models: Path):
    model = spoilt_models / "spoilt.keras"

    with pytest.raises(InputError):
        compare_models(model, model, load_target("host"), None, layers=True)


def test_tables_hold_only_names_that_the_format_has():
    assert set(BUILTIN_OPERATORS) >= GPU_OPS | MCU_OPS


def test_plain_model_runs_everywhere():
    assert all(not verdict.reasons for verdict in compatibility(FACTS).values())


@pytest.mark.parametrize(
    ("changes", "gpu", "mcu"),
    [
        ({"open_shapes": ["input"]}, None, "for fixed shapes: 'input' is open"),
        ({"dtypes": ["float16", "float32"]}, None, "no float16 tensors"),
        ({"gpu_findings": [{"op": "PAD", "layer": "p", "reason": "why"}] * 2}, "PAD 'p' and 1 more: why", None),
        ({"hybrid_ops": ["CONV_2D"]}, None, "dynamic-range"),
        ({"ops": [{"name": "SVDF", "count": 1, "version": 1, "custom": False}]}, None, None),
        ({"ops": [{"name": "GELU", "count": 1, "version": 1, "custom": False}]}, None, "no GELU"),
        ({"ops": [{"name": "FlexErf", "count": 1, "version": 1, "custom": True}]}, None, "no FlexErf"),
    ],
)
def test_what_stands_in_the_way_is_named(changes, gpu, mcu):
    found = compatibility(FACTS | changes)

    for kind, wanted in (("gpu", gpu), ("mcu", mcu)):
        reasons = "; ".join(found[kind].reasons)
        assert (wanted in reasons) if wanted else not reasons
        assert "03" in found[kind].source
