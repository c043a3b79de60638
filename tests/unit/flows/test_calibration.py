"""Rules on calibration data, facts of activations, and the flow that brings them together."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edgekit.config.recipes import load_recipe
from edgekit.config.targets import load_target
from edgekit.core.calibration_lint import ActivationFacts, activation_findings, sample_findings
from edgekit.core.dataset import Dataset
from edgekit.core.errors import InputError, UsageError
from edgekit.core.preprocessing import Layout, Preprocessing
from edgekit.flows.calibration import check_calibration, curve_sizes
from edgekit.flows.request import CompileRequest
from edgekit.passes._calibration.saturation import activations
from edgekit.passes._quantizer import convert
from tests.models import tflite_files

RNG = np.random.default_rng(0)


def images(n=200, shape=(8, 8, 3), **changes):
    values = RNG.random((n, *shape), dtype=np.float32)
    return Dataset(name="images", inputs=(values,), **{"labels": np.arange(n) % 3, **changes})


def rules(data, evaluation=None):
    return [finding.rule for finding in sample_findings(data, evaluation)]


def test_good_data_has_no_finding():
    assert rules(images(), images()) == []


def test_same_sample_throughout_is_found():
    data = images().take([3] * 200)

    assert "identical" in rules(data)
    assert any("the same one" in finding.message for finding in sample_findings(data, None))


def test_repeated_samples_are_counted():
    data = images().take([*range(198), 0, 1])

    (finding,) = sample_findings(data, None)

    assert finding.rule == "identical"
    assert "2 of 200" in finding.message


@pytest.mark.parametrize(("n", "found"), [(99, ["too_few"]), (100, [])])
def test_few_samples_are_found(n, found):
    assert rules(images(n)) == found


def test_one_class_is_found_and_no_labels_are_fine():
    assert rules(images(labels=np.full(200, 4))) == ["one_class"]
    assert rules(images(labels=None)) == []


@pytest.mark.parametrize(
    ("factor", "preprocessing", "found"),
    [
        (1.0, Preprocessing(scale=1 / 255), []),
        (1 / 255, Preprocessing(scale=1 / 255), ["range"]),
        (255.0, Preprocessing(offset=1.0), ["range"]),
        (255.0, Preprocessing(), []),  # the loader says what it thinks of that, and the model may scale itself
        (0.0, Preprocessing(), ["identical", "range"]),
    ],
)
def test_range_is_held_against_the_preprocessing(factor, preprocessing, found):
    data = images()

    assert rules(replace(data, inputs=(data.inputs[0] * np.float32(factor),), preprocessing=preprocessing)) == found


@pytest.mark.parametrize(
    ("shape", "declared", "found"),
    [
        ((8, 8, 3), Layout.NHWC, []),
        ((3, 8, 8), Layout.NCHW, []),
        ((3, 8, 8), Layout.NHWC, ["layout"]),
        ((8, 8, 3), Layout.NCHW, ["layout"]),
        ((8, 8, 16), Layout.NHWC, []),
        ((3, 3, 3), Layout.NCHW, []),
    ],
)
def test_layout_is_held_against_the_shape(shape, declared, found):
    assert rules(images(shape=shape, preprocessing=Preprocessing(layout=declared))) == found


def test_samples_in_the_evaluation_set_are_counted():
    evaluation = images()

    found = sample_findings(images().take(range(150)), evaluation.take(range(100)))
    overlapping = sample_findings(evaluation.take(range(150)), evaluation.take(range(100)))

    assert found == []
    assert [each.rule for each in overlapping] == ["overlap"]
    assert "100 of 150" in overlapping[0].message


def test_other_range_than_the_evaluation_set_is_found():
    calibration, evaluation = images(), images()

    assert rules(replace(calibration, inputs=(calibration.inputs[0] * 255,)), evaluation) == ["other_range"]


def test_activation_rules_name_the_tensor_and_its_share():
    facts = {"tensor": "conv", "op": "CONV_2D", "channels": 8, "values": 10_000}

    found = activation_findings(
        [
            ActivationFacts(**facts, saturated=0.125, dead_channels=0),
            ActivationFacts(**facts, saturated=0.0, dead_channels=2),
            ActivationFacts(**facts, saturated=0.005, dead_channels=0),
        ]
    )

    few = ActivationFacts(**(facts | {"values": 100}), saturated=0.04, dead_channels=0)
    assert activation_findings([few]) == []
    assert [each.rule for each in found] == ["saturation", "dead_channels"]
    assert "12.5%" in found[0].message
    assert "2 of 8" in found[1].message


def quantized(folder, calibration_values, change=None):
    model = tflite_files.dense()
    if change is not None:
        change(model)
    (folder / "f.tflite").write_bytes(tflite_files.packed(model))
    np.save(folder / "c.npy", calibration_values.astype(np.float32))
    convert(str(folder / "f.tflite"), str(folder / "q.tflite"), "int8", "int8", [str(folder / "c.npy")])
    return folder / "q.tflite"


def looked_at(folder, path, values):
    from edgekit.core.tflite.model import parse_model

    (spec,) = parse_model(path.read_bytes()).input_specs()
    quantized_values = np.clip(np.rint(values / spec.scale) + spec.zero_point, -128, 127).astype(np.int8)
    np.save(folder / "s.npy", quantized_values)
    return {each["op"]: each for each in activations(str(path), [str(folder / "s.npy")])}


def test_saturation_is_seen_where_samples_go_beyond_the_calibrated_range(tmp_path):
    wide = RNG.normal(size=(200, 4))
    typical = quantized(tmp_path, wide)
    fine = looked_at(tmp_path, typical, wide)["FULLY_CONNECTED"]["saturated"]

    narrow = quantized(tmp_path, np.concatenate([wide[:1] * 10, np.zeros((3, 4))]))
    cut = looked_at(tmp_path, narrow, wide * 10)["FULLY_CONNECTED"]["saturated"]

    assert fine < 0.01 < cut


def test_softmax_is_never_called_saturated(tmp_path):
    path = quantized(tmp_path, RNG.normal(size=(50, 4)) * 100)

    assert looked_at(tmp_path, path, RNG.normal(size=(50, 4)) * 100)["SOFTMAX"]["saturated"] == 0


def test_channel_that_never_changes_is_dead(tmp_path):
    def silence(model):
        weights = np.array(np.frombuffer(bytes(model.buffers[1].data), np.float32)).reshape(3, 4)
        weights[1] = 0
        model.buffers[1].data = np.frombuffer(weights.tobytes(), np.uint8)

    values = RNG.normal(size=(50, 4))
    path = quantized(tmp_path, values, silence)

    facts = looked_at(tmp_path, path, values)["FULLY_CONNECTED"]

    assert (facts["dead_channels"], facts["channels"]) == (1, 3)


@pytest.mark.parametrize(
    ("samples", "sizes"), [(1, [1]), (8, [1, 2, 8]), (100, [1, 6, 25, 100]), (500, [1, 7, 31, 125, 500])]
)
def test_curve_grows_up_to_all_samples(samples, sizes):
    assert curve_sizes(samples) == sizes


@pytest.fixture
def request_for(tmp_path):
    (tmp_path / "dense.tflite").write_bytes(tflite_files.packed(tflite_files.dense()))

    def make(**changes):
        values = RNG.random((40, 4), dtype=np.float32)
        data = Dataset(name="d", inputs=(values,), labels=np.arange(40) % 3)
        given = {"calibration": data, "evaluation": images(30, (4,)), "recipe": load_recipe("int8")}
        return CompileRequest(model=tmp_path / "dense.tflite", target=load_target("host"), **(given | changes))

    return make


def test_flow_brings_rules_activations_and_curve_together(request_for):
    document = check_calibration(request_for())

    assert document["schema"] == "edgekit.calibration/1"
    assert [finding["rule"] for finding in document["findings"]] == ["too_few"]
    assert [each["op"] for each in document["activations"]] == ["FULLY_CONNECTED", "SOFTMAX"]
    assert [point["samples"] for point in document["curve"]] == [1, 2, 10, 40]
    assert all(point["accuracy"]["n"] == 30 for point in document["curve"])
    assert len({point["digest"] for point in document["curve"]}) > 2


def test_flow_without_labels_has_a_curve_without_accuracy(request_for):
    document = check_calibration(request_for(evaluation=None))

    assert [point["accuracy"] for point in document["curve"]] == [None] * 4


def test_flow_needs_calibration_data(request_for):
    with pytest.raises(InputError, match="no calibration data"):
        check_calibration(request_for(calibration=None))


def test_recipe_that_calibrates_nothing_is_refused(request_for):
    with pytest.raises(UsageError, match="'float16' calibrates nothing"):
        check_calibration(request_for(recipe=load_recipe("float16")))
