"""Layers by name: listed, chosen by patterns, kept as float32, float16 or with int16 activations."""

from __future__ import annotations

import re

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from edgekit.core.artifact import Artifact
from edgekit.core.dataset import Dataset
from edgekit.core.digest import sha256_path
from edgekit.core.errors import ConfigurationError
from edgekit.core.registry import PASSES
from edgekit.core.tflite.model import parse_model
from edgekit.passes._layers import exactly, layers, select
from tests.contract.pass_cases import context, model_of
from tests.models import tflite_files
from tests.models.fixtures import framework_models

__all__ = ["context", "framework_models"]

FOUND = [
    {"name": "net/conv_1/Relu;net/conv_1/Conv2D", "op": "CONV_2D"},
    {"name": "net/dense_1/MatMul", "op": "FULLY_CONNECTED"},
    {"name": "net/dense_2/MatMul", "op": "FULLY_CONNECTED"},
]


@pytest.fixture
def dense(tmp_path) -> Artifact:
    path = tmp_path / "dense.tflite"
    path.write_bytes(tflite_files.packed(tflite_files.dense()))
    return Artifact(format="tflite", path=path, digest=sha256_path(path), size_bytes=1, zip_bytes=1, made_by="tflite")


def types_of(path):
    """Of each operator: its name, and the dtypes that it reads and writes."""
    graph = parse_model(path.read_bytes()).main
    return [
        (
            operator.name,
            [graph.tensors[index].dtype for index in operator.inputs if index >= 0],
            graph.tensors[operator.outputs[0]].dtype,
        )
        for operator in graph.operators
    ]


def test_layers_are_listed_with_what_they_weigh(dense):
    first, second = layers(str(dense.path))

    assert first == {"name": "scores", "op": "FULLY_CONNECTED", "weights": 15, "weight_bytes": 60, "macs": 12}
    assert second == {"name": "y", "op": "SOFTMAX", "weights": 0, "weight_bytes": 0, "macs": 0}


@pytest.mark.parametrize(
    ("patterns", "chosen"),
    [
        ((), []),
        (("dense_1",), ["net/dense_1/MatMul"]),
        (("dense_.", "conv"), [layer["name"] for layer in FOUND]),
        (("FULLY_CONNECTED",), ["net/dense_1/MatMul", "net/dense_2/MatMul"]),
        ((exactly("net/conv_1/Relu;net/conv_1/Conv2D"),), ["net/conv_1/Relu;net/conv_1/Conv2D"]),
        (("^net/dense_1",), ["net/dense_1/MatMul"]),
    ],
)
def test_patterns_choose_layers(patterns, chosen):
    assert select(FOUND, patterns, parameter="p") == chosen


def test_pattern_that_matches_nothing_names_the_closest():
    with pytest.raises(ConfigurationError, match=r"int8\.keep_float: 'dense3' matches no layer") as caught:
        select(FOUND, ("dense3",), parameter="int8.keep_float")

    assert "'net/dense_1/MatMul'" in (caught.value.hint or "")


def test_pattern_that_is_none_is_refused():
    with pytest.raises(ConfigurationError, match=re.escape("'dense_(' is no regular expression")):
        select(FOUND, ("dense_(",), parameter="p")


def kept(context, source, params, name="int8", form="tflite"):
    result, record = PASSES.load(name).run(source, params, context(form))
    interpreter = Interpreter(model_path=str(result.path))
    interpreter.allocate_tensors()
    interpreter.invoke()
    return result, record


def test_float_layer_stands_between_integers(context, dense):
    result, _ = kept(context, dense, {"keep_float": ["scores"]})

    assert types_of(result.path) == [
        ("DEQUANTIZE", ["int8"], "float32"),
        ("FULLY_CONNECTED", ["float32", "float32", "float32"], "float32"),
        ("QUANTIZE", ["float32"], "int8"),
        ("SOFTMAX", ["int8"], "int8"),
    ]
    assert {spec.dtype for spec in (*result.inputs, *result.outputs)} == {"int8"}


def test_last_layer_may_stay_float_while_the_output_is_int8(context, dense):
    result, _ = kept(context, dense, {"keep_float": ["^y$"]})

    assert types_of(result.path)[-3:] == [
        ("DEQUANTIZE", ["int8"], "float32"),
        ("SOFTMAX", ["float32"], "float32"),
        ("QUANTIZE", ["float32"], "int8"),
    ]


def test_float16_layer_stores_half_the_bytes(context, dense):
    result, _ = kept(context, dense, {"keep_float16": ["scores"]})

    assert ("DEQUANTIZE", ["float16"], "float32") in types_of(result.path)
    assert ("SOFTMAX", ["int8"], "int8") in types_of(result.path)


def test_int16_layer_has_int8_weights(context, dense):
    result, _ = kept(context, dense, {"keep_int16": ["scores"]})

    assert ("FULLY_CONNECTED", ["int16", "int8", "int64"], "int16") in types_of(result.path)
    assert ("SOFTMAX", ["int8"], "int8") in types_of(result.path)


@pytest.mark.parametrize("name", ["dynamic", "weight_only", "int16x8"])
def test_other_passes_keep_layers_too(name, context, dense):
    result, _ = kept(context, dense, {"keep_float": ["FULLY_CONNECTED"]}, name=name)

    (layer,) = [each for each in types_of(result.path) if each[0] == "FULLY_CONNECTED"]
    assert layer[1] == ["float32", "float32", "float32"]


@pytest.mark.parametrize("io", ["int8", "uint8", "float32"])
def test_keras_model_is_quantized_with_a_layer_in_float(io, context, framework_models):
    source = model_of("keras", framework_models)

    result, _ = kept(context, source, {"keep_float": ["conv2d"], "io": io}, form="keras")

    ops = types_of(result.path)
    assert ("CONV_2D", ["float32", "float32", "float32"], "float32") in ops
    assert any(name == "FULLY_CONNECTED" and inputs[:2] == ["int8", "int8"] for name, inputs, _ in ops)
    assert {spec.dtype for spec in (*result.inputs, *result.outputs)} == {io}


def test_pattern_is_checked_against_the_model(context, framework_models):
    with pytest.raises(ConfigurationError, match=r"int8\.keep_float: 'no_such' matches no layer"):
        PASSES.load("int8").run(model_of("keras", framework_models), {"keep_float": ["no_such"]}, context("keras"))


def test_spoilt_layer_in_float_gives_the_accuracy_back(context, tmp_path):
    """One score a thousand times the others takes the whole range: int8 sees nothing of the rest."""

    def spoil(model):
        weights = np.array(np.frombuffer(bytes(model.buffers[1].data), np.float32)).reshape(3, 4)
        weights[2] = -3000
        model.buffers[1].data = np.frombuffer(weights.tobytes(), np.uint8)

    path = tmp_path / "spoilt.tflite"
    path.write_bytes(tflite_files.dense_with(spoil))
    source = Artifact(format="tflite", path=path, digest=sha256_path(path), size_bytes=1, zip_bytes=1, made_by="tflite")
    values = np.random.default_rng(3).random((64, 4), dtype=np.float32)
    data = Dataset(name="d", inputs=(values,))

    def classes(at):
        interpreter = Interpreter(model_path=str(at))
        interpreter.allocate_tensors()
        given, wanted = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
        found = []
        for value in values:
            interpreter.set_tensor(given["index"], value[None])
            interpreter.invoke()
            found.append(int(interpreter.get_tensor(wanted["index"]).argmax()))
        return np.array(found)

    def agreement(params):
        result, _ = PASSES.load("int8").run(source, {"io": "float32", **params}, context(representative=data))
        return np.mean(classes(result.path) == classes(path))

    assert agreement({}) < 0.9
    assert agreement({"keep_float": ["scores", "^y$"]}) > 0.95


def test_empty_list_is_the_default():
    found = PASSES.load("int8")

    assert found.parse({"keep_float": []}) == found.parse({})
