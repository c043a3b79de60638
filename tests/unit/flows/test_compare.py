"""Comparing a float model with its artifact: here, layer by layer, and on a device against this computer's kernels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edgekit.config.targets import load_target
from edgekit.core.dataset import Dataset
from edgekit.core.device_entry import DeviceEntry
from edgekit.core.errors import InputError, UnsupportedError, UsageError
from edgekit.core.measurement import Plan
from edgekit.core.recipe import Step
from edgekit.core.tflite.accelerators import MCU_OPS, compatibility
from edgekit.core.tflite.gpu_rules import GPU_OPS
from edgekit.core.tflite.names import BUILTIN_OPERATORS
from edgekit.data import load_dataset
from edgekit.flows.comparing.layers import layer_errors
from edgekit.flows.comparing.on_device import Judgement
from edgekit.flows.comparing.request import CompareRequest, compare
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


LOCAL = DeviceEntry(name="local://", url="local://", target="host")
BRIEF = Plan(runtime="", processes=2, warmup=2, samples=12, min_seconds=0.0)


def request(first: Path, second: Path | None, **fields: Any) -> CompareRequest:
    return CompareRequest(**{"first": first, "second": second, "target": load_target("host"), **fields})


@pytest.fixture
def int8_file(bench, tmp_path: Path) -> Path:
    at = bench("spoilt", max_drop=0.02, samples=60)
    path = tmp_path / "int8.tflite"
    path.write_bytes(made(at, Step(pass_name="int8")).path.read_bytes())
    return path


@pytest.fixture
def images(spoilt_models: Path) -> Dataset:
    return load_dataset(f"{spoilt_models}/images_test.npz", None, limit=60)


def test_document_of_two_files_is_drawn(spoilt_models: Path, int8_file: Path, images: Dataset):
    document, pair = compare(
        request(spoilt_models / "spoilt.keras", int8_file, judgement=Judgement(data=images), layers=True)
    )
    page = html.render(build_page(document))

    assert pair is None
    assert document["outputs"]["drop"]["value"] > 0.5
    assert document["layers"][0]["snr_db"] == min(layer["snr_db"] for layer in document["layers"])
    assert document["artifact"]["runs_on"]["mcu"]["compatible"] is True
    assert "Signal to noise of each layer" in page
    assert "listener_1" in page


def test_loss_is_judged_as_a_whole_and_class_by_class(spoilt_models: Path, int8_file: Path, images: Dataset):
    document, _ = compare(request(spoilt_models / "spoilt.keras", int8_file, judgement=Judgement(data=images)))

    accuracy, classes = document["accuracy"], document["per_class"]
    assert accuracy["outcome"] == "fail"
    assert accuracy["mcnemar_p"] < 0.001
    assert sum(one["b"] for one in classes) == accuracy["b"]
    assert sum(one["n"] for one in classes) == 60
    assert max(one["drop"] for one in classes) > 0.5


def test_two_models_are_measured_in_turn_on_a_device(spoilt_models: Path, int8_file: Path, images: Dataset):
    document, pair = compare(
        request(
            spoilt_models / "spoilt.keras", int8_file, judgement=Judgement(data=images), entry=LOCAL, plan=BRIEF,
            drift=True,
        )
    )  # fmt: skip

    assert pair is not None
    assert (len(pair.first.runs), len(pair.second.runs)) == (2, 2)
    assert [side["artifact_sha256"] for side in document["profiles"].values()] == [
        pair.first.artifact_digest, pair.second.artifact_digest,
    ]  # fmt: skip
    latency = document["latency"]
    assert "processes vary" in document["latency_reason"] if latency is None else latency["change"] == "inconclusive"
    assert document["accuracy"]["outcome"] == "fail"
    drift = document["drift"]
    assert [place["name"] for place in drift["places"]] == ["device", "default", "builtin", "reference"]
    assert "default" in drift["predicts"]
    assert {(one["place"], one["samples"]) for one in drift["outputs"]} == {
        ("default", 60), ("builtin", 60), ("reference", 60),
    }  # fmt: skip
    same_kernels = [layer for layer in drift["layers"] if layer["against"] == "builtin"]
    assert len(same_kernels) == len(drift["layers"]) / 2 > 3
    assert {layer["differing_share"] for layer in same_kernels} == {0.0}
    assert not any(layer["is_first"] for layer in same_kernels)


@pytest.mark.parametrize(
    ("fields", "error", "words"),
    [
        ({"layers": True}, InputError, "layers are compared on real inputs"),
        ({"second": None}, UsageError, "nothing to compare with"),
        ({"drift": True}, UsageError, "between a device and this computer"),
        ({"drift": True, "entry": LOCAL}, InputError, "drift is found on real inputs"),
        ({"target": load_target("cortex_m4"), "entry": LOCAL}, UnsupportedError, "is a board"),
    ],
)
def test_what_lacks_its_data_device_or_second_model_is_an_error(spoilt_models: Path, fields, error, words):
    model = spoilt_models / "spoilt.keras"

    with pytest.raises(error, match=words):
        compare(request(**{"first": model, "second": model, "judgement": Judgement(), **fields}))


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
