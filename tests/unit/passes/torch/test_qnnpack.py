"""Quantization for PyTorch's own runtimes: accuracy, what fuses, what stays float, and what is refused."""

from __future__ import annotations

import tempfile
from typing import Any

import numpy as np
import pytest

from edgekit.config.targets import load_target
from edgekit.core.dataset import Dataset
from edgekit.core.errors import ConfigurationError, InputError, UnsupportedError
from edgekit.core.registry import PASSES
from tests.models.fixtures import shared_user_isolate
from tests.models.torch_digits import accuracy, held_out, images, scores

POINTS = 0.005
SHORT = {"epochs": 3, "learning_rate": 1e-3}
SUCCESSORS = "executorch_xnnpack and litert_torch are their successors"


def names_of(result: Any) -> set[str]:
    return {each["name"] for each in result.facts["ops"]}


# In the child process


def answers_of_fx(source: str, folder: str) -> None:
    """What torch's own conversion answers, sample by sample, without a file in between."""
    import torch

    from edgekit.passes._torch import graph_quantizing, samples
    from edgekit.passes._torch.engine import engine
    from edgekit.passes._torch.loading import load
    from edgekit.passes._torch.qconfig import mapping

    loaded = load(source)
    arrays = samples.read([f"{folder}/calibration.npy"], loaded.inputs, name="m")
    params = {"per_channel": True, "observer": "histogram"}
    with engine("qnnpack"), torch.no_grad():
        graph = graph_quantizing.graph_of(loaded.module, name="m")
        clips = graph_quantizing.fuse_clips(graph)
        chosen = mapping(params, "qnnpack", [], clips=clips)
        observed = graph_quantizing.prepared(graph, chosen, [torch.zeros(1, 1, 8, 8)])
        for _, batch in samples.batches(arrays, loaded.inputs, size=32):
            observed(*batch)
        module = graph_quantizing.converted(observed)
        x = torch.from_numpy(np.load(f"{folder}/x.npy"))
        np.save(f"{folder}/answers.npy", torch.cat([module(one[None]) for one in x]).numpy())


def layers(path: str) -> list[dict[str, Any]]:
    """The layers that can be left in float."""
    from edgekit.passes._torch.layers import layers as of_artifact

    return of_artifact(path)


# Here


@pytest.mark.parametrize(
    ("kind", "name", "params"),
    [
        ("cnn", "qnnpack_static", {}),
        ("cnn", "qnnpack_static", {"mode": "eager", "per_channel": False, "observer": "min_max"}),
        ("cnn", "x86_static", {"engine": "fbgemm"}),
        ("residual", "qnnpack_static", {}),
        ("residual", "qnnpack_static", {"mode": "eager"}),
        ("residual", "qnnpack_static", {"per_channel": False, "observer": "moving_average"}),
        ("residual", "x86_static", {}),
        ("residual", "qnnpack_qat", SHORT),
        ("cnn", "x86_qat", SHORT),
        ("untraceable", "qnnpack_static", {}),
        ("untraceable_residual", "qnnpack_static", {}),
        ("stubbed", "qnnpack_static", {}),
        ("activations", "qnnpack_static", {}),
        ("activations", "x86_static", {}),
        ("lstm", "qnnpack_dynamic", {}),
        ("gru", "qnnpack_dynamic", {"per_channel": False}),
        ("mlp", "x86_dynamic", {}),
    ],
    ids=str,
)
def test_accuracy_is_within_half_a_point_of_float(kind, name, params, torch_model, run_torch_pass):
    model = torch_model(kind)

    result, record = run_torch_pass(name, model, params)

    assert accuracy(result) >= accuracy(model, function="run_float") - POINTS
    assert result.size_bytes < 0.75 * run_torch_pass("ptl", model)[0].size_bytes
    assert SUCCESSORS in record.notes[-1]
    assert result.facts is not None
    assert not result.facts["has_float_weights"]
    assert 0 < result.facts["output_step"][0] < 1


def test_file_answers_as_what_torch_converted(torch_model, run_torch_pass):
    model = torch_model("residual")
    some = Dataset(name="some", inputs=(held_out().inputs[0][:64],))
    with tempfile.TemporaryDirectory() as folder:
        np.save(f"{folder}/x.npy", some.inputs[0])
        np.save(f"{folder}/calibration.npy", images().inputs[0][:128])
        shared_user_isolate().call(
            f"{__name__}:answers_of_fx", {"source": str(model.path), "folder": folder}, what="converting"
        )
        wanted = np.load(f"{folder}/answers.npy")

    result, _ = run_torch_pass("qnnpack_static", model)

    np.testing.assert_array_equal(scores(result, some), wanted)


def test_graph_mode_fuses_and_leaves_nothing_between_the_layers_in_float(torch_model, run_torch_pass):
    """ReLU6 too: QNNPACK's own clamp answers wrongly."""
    result, _ = run_torch_pass("qnnpack_static", torch_model("residual"))

    assert names_of(result) == {
        "aten::quantize_per_tensor", "quantized::conv2d_relu", "quantized::conv2d", "quantized::add_relu", "aten::cat",
        "aten::avg_pool2d", "aten::flatten", "quantized::linear", "aten::dequantize", "aten::softmax",
    }  # fmt: skip
    assert result.facts is not None
    assert result.facts["mac_dtypes"] == {"int8": result.facts["macs"]}


def test_model_that_fx_cannot_follow_is_quantized_in_eager_mode_and_told(torch_model, run_torch_pass):
    result, record = run_torch_pass("qnnpack_static", torch_model("untraceable"))

    assert "torch_nets.py, line" in record.notes[0]
    assert "fused: conv+norm+relu, hidden+act" in record.notes[0]
    assert {"quantized::conv2d_relu", "quantized::linear_relu", "quantized::linear"} <= names_of(result)
    assert "aten::batch_norm" not in names_of(result)
    with pytest.raises(UnsupportedError, match=r"torch\.fx cannot follow") as caught:
        run_torch_pass("qnnpack_static", torch_model("untraceable"), {"mode": "fx"})
    assert "auto" in (caught.value.hint or "")
    with pytest.raises(UnsupportedError, match=r"torch\.fx cannot follow"):
        run_torch_pass("qnnpack_qat", torch_model("untraceable"), SHORT)


def test_code_that_integers_cannot_run_stays_float_between_the_layers(torch_model, run_torch_pass):
    result, record = run_torch_pass("qnnpack_static", torch_model("untraceable_residual"))

    assert "computes in float" in record.notes[1]
    assert {"aten::add", "quantized::conv2d_relu"} <= names_of(result)


def test_stubs_of_the_user_are_used(torch_model, run_torch_pass):
    result, record = run_torch_pass("qnnpack_static", torch_model("stubbed"))

    assert "eager mode" in record.notes[0]
    assert "quantized::add" in names_of(result)
    assert {each["name"]: each["count"] for each in result.facts["ops"]}["aten::dequantize"] == 1


@pytest.mark.parametrize("mode", ["fx", "eager"])
def test_layers_that_are_kept_stay_float(mode, torch_model, run_torch_pass):
    model = torch_model("residual")
    params = {"mode": mode, "keep_float": ["depthwise", "Linear"]}

    result, record = run_torch_pass("qnnpack_static", model, params)

    assert "In float stay depthwise, scores." in record.notes
    assert {"aten::_convolution", "aten::linear"} <= names_of(result)
    assert "quantized::linear" not in names_of(result)
    assert accuracy(result) >= accuracy(model, function="run_float") - POINTS
    assert result.facts is not None
    assert result.facts["has_float_weights"]
    assert set(result.facts["mac_dtypes"]) == {"float32", "int8"}


def test_kept_layers_of_the_other_passes_stay_float(torch_model, run_torch_pass):
    for name, params in (("qnnpack_dynamic", {}), ("qnnpack_qat", SHORT)):
        result, record = run_torch_pass(name, torch_model("mlp"), {**params, "keep_float": ["^hidden$"]})

        assert "In float stay hidden." in record.notes
        assert "aten::linear" in names_of(result)


def test_layers_are_listed_with_what_they_cost(torch_model):
    found = shared_user_isolate().call(
        f"{__name__}:layers", {"path": str(torch_model("cnn").path)}, what="reading the layers"
    )

    assert [(each["name"], each["op"], each["macs"]) for each in found] == [
        ("features.0", "Conv2d", 64 * 8 * 9),
        ("features.3", "Conv2d", 64 * 8 * 9),
        ("features.6", "Conv2d", 64 * 16 * 8),
        ("hidden", "Linear", 256 * 32),
        ("scores", "Linear", 320),
    ]
    assert found[-1]["weights"] * 4 == found[-1]["weight_bytes"] == 330 * 4


def test_layer_that_no_pattern_means_is_named(torch_model, run_torch_pass):
    with pytest.raises(ConfigurationError, match="'convolution' matches no layer"):
        run_torch_pass("qnnpack_static", torch_model("cnn"), {"keep_float": ["convolution"]})


def test_kernels_that_answer_wrongly_stay_float(torch_model, run_torch_pass):
    result, record = run_torch_pass("qnnpack_static", torch_model("activations"))

    assert {"aten::prelu", "aten::clip"} <= names_of(result)
    assert not {"quantized::prelu", "aten::relu6", "aten::hardtanh"} & names_of(result)
    assert not any("differ from the float" in note for note in record.notes)


def test_recurrent_layer_stays_float_in_static_quantization_and_is_named(torch_model, run_torch_pass):
    result, record = run_torch_pass("qnnpack_static", torch_model("lstm"))

    assert record.notes[0] == "In float stay lstm."
    assert "quantized::linear" in names_of(result)


def test_model_without_such_layers_is_refused(torch_model, run_torch_pass):
    with pytest.raises(UnsupportedError, match="no layer that this pass can quantize"):
        run_torch_pass("qnnpack_dynamic", torch_model("convolution", epochs=0))


@pytest.mark.parametrize("name", ["qnnpack_static", "x86_static"])
def test_samples_of_another_shape_are_refused_with_both(name, torch_model, run_torch_pass):
    wrong = Dataset(name="wrong", inputs=(np.zeros((4, 1, 9, 8), np.float32),))

    with pytest.raises(InputError, match=r"\(1, 9, 8\).*\(1, 8, 8\)"):
        run_torch_pass(name, torch_model("mlp"), representative=wrong)


def test_training_gives_the_same_bytes_twice_and_is_told(torch_model, run_torch_pass):
    heard: list[Any] = []

    one, _ = run_torch_pass("qnnpack_qat", torch_model("cnn"), SHORT, on_event=heard.append)
    two, _ = run_torch_pass("qnnpack_qat", torch_model("cnn"), SHORT)

    assert one.digest == two.digest
    assert any(event.message.startswith("epoch 3 of 3: loss") for event in heard)


def test_engine_for_servers_is_refused_for_other_processors():
    android = load_target("android_arm64")

    for name in ("x86_static", "x86_dynamic", "x86_qat"):
        found = PASSES.load(name)
        assert "x86-64" in (found.unsupported_params(android, found.parse({})) or "")
    found = PASSES.load("qnnpack_static")
    assert found.unsupported_params(android, found.parse({})) is None
