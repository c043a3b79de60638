"""The pass `pack`: smaller files, the same answers, and names where they count."""

from __future__ import annotations

import zlib

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from edgekit.core.registry import PASSES
from edgekit.core.tflite.model import parse_model
from edgekit.passes._flatbuffer_edit import pack, unpack, with_signature
from edgekit.passes._packing import stripped
from tests.contract.pass_cases import context, model_of
from tests.models import tflite_files
from tests.models.fixtures import framework_models

__all__ = ["context", "framework_models"]


def signed():
    model = unpack(tflite_files.packed(tflite_files.dense()))
    with_signature(model, "serving_default")
    return model


def bulky():
    """The dense classifier with what converters add."""
    from ai_edge_litert import schema_py_generated as schema

    model = signed()
    metadata, notes = schema.MetadataT(), schema.BufferT()
    notes.data = np.frombuffer(b"made by a converter" * 20, np.uint8)
    model.buffers.append(notes)
    metadata.name, metadata.buffer = b"CONVERSION_METADATA", len(model.buffers) - 1
    model.metadata, model.description = [metadata], b"converted"
    code = schema.OperatorCodeT()
    code.builtinCode, code.deprecatedBuiltinCode, code.version = schema.BuiltinOperator.ADD, 0, 1
    model.operatorCodes.insert(0, code)
    for operator in model.subgraphs[0].operators:
        operator.opcodeIndex += 1
    for tensor in model.subgraphs[0].tensors:
        tensor.quantization = schema.QuantizationParametersT()
        tensor.quantization.min, tensor.quantization.max = [0.0], [1.0]
    return model


def answers(data, values):
    interpreter = Interpreter(model_content=data)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], values)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


def test_what_no_runtime_reads_goes_and_the_answers_stay():
    data, values = pack(bulky()), np.float32([[1, -2, 3, 0.5]])

    small = stripped(data, keep_signature=True)

    assert len(small) < len(data) - 500
    assert b"converter" not in small
    assert b"CONVERSION" not in small
    assert b"weights" not in small
    assert [op.name for op in parse_model(small).main.operators] == ["FULLY_CONNECTED", "SOFTMAX"]
    assert np.array_equal(answers(small, values), answers(data, values))


def test_names_of_inputs_and_outputs_stay():
    model = parse_model(stripped(pack(bulky()), keep_signature=False))

    assert [spec.name for spec in (*model.input_specs(), *model.output_specs())] == ["x", "y"]


def test_signature_runs_when_it_is_kept_and_is_gone_otherwise():
    data, values = pack(bulky()), np.float32([[1, -2, 3, 0.5]])

    kept = Interpreter(model_content=stripped(data, keep_signature=True))
    gone = Interpreter(model_content=stripped(data, keep_signature=False))

    answer = kept.get_signature_runner("serving_default")(x=values)
    assert np.array_equal(answer["y"], answers(data, values))
    assert gone.get_signature_list() == {}


def test_equal_constants_are_held_once():
    def doubled(model):
        weights = model.buffers[1]
        model.buffers.append(weights)
        twin = tflite_files.tensor("twin", [3, 4], buffer=len(model.buffers) - 1)
        model.subgraphs[0].tensors.append(twin)

    once, twice = tflite_files.packed(tflite_files.dense()), tflite_files.dense_with(doubled)

    assert len(twice) > len(once) + 48
    assert len(stripped(twice, keep_signature=True)) < len(stripped(once, keep_signature=True)) + 48


def test_packing_twice_changes_nothing():
    once = stripped(pack(bulky()), keep_signature=True)

    assert stripped(once, keep_signature=True) == once


@pytest.mark.parametrize("keep_signature", [True, False])
def test_int8_model_of_tensorflow_gets_smaller_and_answers_the_same(keep_signature, context, framework_models):
    int8, _ = PASSES.load("int8").run(model_of("keras", framework_models), {}, context("keras"))

    result, record = PASSES.load("pack").run(int8, {"keep_signature": keep_signature}, context(None))

    before, after = int8.path.read_bytes(), result.path.read_bytes()
    rng = np.random.default_rng(0)
    assert len(after) < len(before)
    assert len(zlib.compress(after, 9)) < len(zlib.compress(before, 9)) - 250
    assert (result.inputs, result.outputs) == (int8.inputs, int8.outputs)
    for _ in range(5):
        values = rng.integers(-128, 128, (1, 4, 4, 1), np.int8)
        assert np.array_equal(answers(after, values), answers(before, values))
    assert "bit for bit" in record.notes[0]
