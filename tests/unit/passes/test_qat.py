"""Quantization-aware training: int8 out, accuracy kept, and zeros and clusters too where the pass says so."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgekit.core.artifact import Artifact
from edgekit.core.errors import ConfigurationError, UnsupportedError
from edgekit.core.quantize import dequantize, quantize
from edgekit.core.tflite.model import Model, read_model
from edgekit.passes._keras import quantizing
from tests.models.digits_models import artifact, digits
from tests.models.fixtures import shared_isolate

SHORT = {"epochs": 1, "validation_split": 0.0}


def accuracy(model: Artifact) -> float:
    """Top-1 on all digits, by LiteRT's reference kernels."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(model.path), num_threads=1)
    interpreter.allocate_tensors()
    entry, leave = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]
    data = digits()
    assert data.labels is not None
    answers = []
    for sample in quantize(data.inputs[0], model.inputs[0]):
        interpreter.set_tensor(entry, sample[None])
        interpreter.invoke()
        answers.append(int(dequantize(interpreter.get_tensor(leave), model.outputs[0]).argmax()))
    return float((np.array(answers) == data.labels).mean())


def constants(model: Model, dtype: str) -> dict[str, np.ndarray]:
    return {
        tensor.name: np.frombuffer(tensor.data, dtype).reshape(tensor.shape)
        for tensor in model.main.tensors
        if tensor.is_constant and tensor.dtype == dtype
    }


def only(found: dict[str, np.ndarray], part: str) -> np.ndarray:
    (value,) = (each for name, each in found.items() if part in name)
    return value


def edit(model: Artifact, edited: Any, **params: Any) -> Artifact:
    """The model with weights changed in the child process."""
    shared_isolate().call(
        f"{__file__}:change_weights", {"source": str(model.path), "output": str(edited), **params}, what="editing"
    )
    return artifact(edited)


def change_weights(source: str, output: str, clusters: int) -> None:
    """Set half of each dense and convolution kernel to 0, the rest to a few values."""
    import tf_keras

    model = tf_keras.models.load_model(source, compile=False)
    for layer in model.layers:
        weights = layer.get_weights()
        if weights and type(layer).__name__ in ("Conv2D", "Dense"):
            kernel = weights[0]
            kernel[np.abs(kernel) <= np.quantile(np.abs(kernel), 0.5)] = 0
            kept = kernel[kernel != 0]
            edges = np.quantile(kept, np.linspace(0, 1, clusters + 1))
            centres = (edges[1:] + edges[:-1]) / 2
            kernel[kernel != 0] = centres[np.clip(np.searchsorted(edges, kept) - 1, 0, clusters - 1)]
            layer.set_weights(weights)
    model.save(output, save_format="h5", include_optimizer=False)


def test_qat_gives_an_int8_model_as_accurate_as_the_float_one(digits_model, made):
    result, _ = made("qat", digits_model, SHORT)

    model = read_model(result.path)
    assert result.format == "tflite"
    assert (result.inputs[0].dtype, result.outputs[0].dtype) == ("int8", "int8")
    assert {tensor.dtype for tensor in model.main.tensors} <= {"int8", "int32"}
    assert accuracy(result) > 0.95


def test_qat_gives_the_same_bytes_again(digits_model, made, run_pass):
    first, _ = made("qat", digits_model, SHORT)
    again, _ = run_pass("qat", digits_model, SHORT)
    other, _ = run_pass("qat", digits_model, {**SHORT, "seed": 1})

    assert first.digest == again.digest
    assert first.digest != other.digest


def test_qat_computes_layers_in_float_by_regex(digits_model, run_pass):
    result, _ = run_pass("qat", digits_model, {**SHORT, "skip": ["conv", "norm", "re.u"], "io": "float32"})

    graph = read_model(result.path).main
    computed = {
        tuple(graph.tensors[operator.inputs[1]].shape): graph.tensors[operator.outputs[0]].dtype
        for operator in graph.operators
        if operator.name in ("CONV_2D", "FULLY_CONNECTED")
    }
    assert (result.inputs[0].dtype, result.outputs[0].dtype) == ("float32", "float32")
    assert computed == {(8, 3, 3, 1): "float32", (8, 1, 1, 8): "int8", (32, 128): "int8", (10, 32): "int8"}


def test_nested_model_has_the_same_layers_in_int8_as_its_flat_twin(digits_model, run_pass, tmp_path):
    path = tmp_path / "nested.h5"
    request = {"source": str(digits_model.path), "output": str(path)}
    shared_isolate().call(f"{__file__}:save_nested", request, what="nesting")

    nested, _ = run_pass("qat", artifact(path), {**SHORT, "skip": ["conv", "norm", "re.u"]})
    flat, _ = run_pass("qat", digits_model, {**SHORT, "skip": ["conv", "norm", "re.u"]})

    assert computed(nested) == computed(flat)
    assert {dtype for _, dtype in computed(nested)} == {"int8", "float32"}
    assert accuracy(nested) > 0.95


def computed(model: Artifact) -> list[tuple[str, str]]:
    """Operators in order, each with the dtype of its result."""
    graph = read_model(model.path).main
    return [(operator.name, graph.tensors[operator.outputs[0]].dtype) for operator in graph.operators]


def save_nested(source: str, output: str) -> None:
    """The same layers as a body and a head within a model."""
    import tf_keras

    layers = tf_keras.layers
    model = tf_keras.models.load_model(source, compile=False)
    body = tf_keras.Model(model.input, model.get_layer("flatten").output, name="body")
    head = tf_keras.Sequential([layers.Input((128,)), *map(model.get_layer, ("hidden", "scores"))], name="head")
    pixels = layers.Input((8, 8, 1), name="image")
    tf_keras.Model(pixels, head(body(pixels))).save(output, save_format="h5", include_optimizer=False)


def test_pqat_keeps_every_zero(digits_model, run_pass, tmp_path):
    sparse = edit(digits_model, tmp_path / "sparse.h5", clusters=200)

    kept, notes = run_pass("pqat", sparse, {**SHORT, "learning_rate": 1e-3})
    lost, _ = run_pass("qat", sparse, {**SHORT, "learning_rate": 1e-3})

    weights = {model: only(constants(read_model(model.path), "int8"), "hidden") for model in (kept, lost)}
    assert (weights[kept] == 0).mean() >= 0.5
    assert (weights[lost] == 0).mean() < 0.4
    assert notes.notes == ()


@pytest.mark.parametrize(("name", "zeros"), [("cqat", 0.0), ("pcqat", 0.5)])
def test_cqat_keeps_the_number_of_values(digits_model, run_pass, tmp_path, name, zeros):
    clustered = edit(digits_model, tmp_path / "clustered.h5", clusters=7)

    result, record = run_pass(name, clustered, {**SHORT, "learning_rate": 1e-3})

    hidden = only(constants(read_model(result.path), "int8"), "hidden")
    assert len(np.unique(hidden)) <= 8
    assert (hidden == 0).mean() >= zeros
    assert all("hidden" not in note for note in record.notes)


def test_preserving_passes_say_when_there_is_nothing_to_preserve(digits_model, run_pass):
    _, record = run_pass("pqat", digits_model, SHORT)

    assert "no zeros to keep" in record.notes[0]


def test_zeros_that_are_lost_are_a_bug():
    before = {"dense": quantizing.Kernel(zeros=5, unique=3, size=10)}
    after = {"dense": quantizing.Kernel(zeros=4, unique=3, size=10)}

    with pytest.raises(Exception, match="had 5 zeros and has 4"):
        quantizing._check_preserved(before, after, {"dense"}, frozenset({"sparsity"}))


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"layers": ["nothing"]}, "matches no layer"),
        ({"skip": ["("]}, "no regular expression"),
        ({"skip": [".*"]}, "no layer is left"),
        ({"epochs": 0}, "epochs is 0"),
        ({"layers": "conv"}, "a list"),
    ],
)
def test_qat_refuses_what_cannot_be(digits_model, run_pass, params, text):
    with pytest.raises(ConfigurationError) as refused:
        run_pass("qat", digits_model, params)

    assert text in f"{refused.value} {refused.value.hint}"


def test_qat_names_a_layer_that_it_does_not_know(digits_model, run_pass, tmp_path):
    path = tmp_path / "lstm.h5"
    shared_isolate().call(f"{__file__}:save_lstm", {"output": str(path)}, what="building")

    with pytest.raises(UnsupportedError, match="lstm"):
        run_pass("qat", artifact(path), SHORT)


def save_lstm(output: str) -> None:
    import tf_keras

    layers = tf_keras.layers
    pixels = layers.Input((8, 8, 1))
    rows = layers.Reshape((8, 8))(pixels)
    scores = layers.Dense(10, activation="softmax")(layers.LSTM(4, name="my_lstm")(rows))
    tf_keras.Model(pixels, scores).save(output, save_format="h5")
