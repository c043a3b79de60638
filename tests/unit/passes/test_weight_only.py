"""Weights of 8 and 4 bits alone: what is stored, where it runs, and which layers are left."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edgekit.config.recipes import load_recipe
from edgekit.config.targets import load_target
from edgekit.core.artifact import Artifact
from edgekit.core.digest import sha256_path
from edgekit.core.errors import ConfigurationError, UnsupportedError
from edgekit.core.registry import PASSES
from edgekit.core.tflite.model import parse_model
from edgekit.flows.chain import check_chain
from tests.contract.pass_cases import context
from tests.models import tflite_files

__all__ = ["context"]


def saved(model, path) -> Artifact:
    path.write_bytes(tflite_files.packed(model))
    return Artifact(format="tflite", path=path, digest=sha256_path(path), size_bytes=1, zip_bytes=1, made_by="tflite")


def wide(inputs: int):
    """One dense layer of so many inputs."""
    weights = np.random.default_rng(0).normal(size=(8, inputs)).astype(np.float32)
    from ai_edge_litert import schema_py_generated as schema

    return tflite_files.model(
        tensors=[
            tflite_files.tensor("x", [1, inputs]),
            tflite_files.tensor("weights", [8, inputs], buffer=1),
            tflite_files.tensor("y", [1, 8]),
        ],
        operators=[tflite_files.operator(0, [0, 1, -1], [2], schema.FullyConnectedOptionsT())],
        codes=[tflite_files.operator_code(schema.BuiltinOperator.FULLY_CONNECTED)],
        buffers=[b"", weights.tobytes()],
        io=([0], [2]),
    )


def weights_of(path):
    (weights,) = [t for t in parse_model(path.read_bytes()).main.tensors if t.is_constant and len(t.shape) == 2]
    return weights


@pytest.mark.parametrize("name", ["weight_only", "dynamic"])
@pytest.mark.parametrize(("bits", "dtype"), [(8, "int8"), (4, "int4")])
@pytest.mark.parametrize(("granularity", "scales"), [("channel", 8), ("tensor", 1)])
def test_weights_have_the_bits_and_scales(name, bits, dtype, granularity, scales, context, tmp_path):
    source = saved(wide(64), tmp_path / "m.tflite")

    result, _ = PASSES.load(name).run(source, {"bits": bits, "granularity": granularity}, context(None))

    weights = weights_of(result.path)
    assert weights.dtype == dtype
    assert len(weights.data) == 64 * 8 * bits // 8
    assert len(weights.quantization.scales) == scales
    assert {spec.dtype for spec in (*result.inputs, *result.outputs)} == {"float32"}


def answers(path, values):
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(path))
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], values)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


@pytest.mark.parametrize(
    ("params", "tolerance"),
    [({"bits": 8}, 0.1), ({"bits": 4}, 1.5), ({"bits": 4, "granularity": "block", "block_size": 32}, 1.5)],
)
def test_dynamic_model_answers_nearly_like_the_float_one(params, tolerance, context, tmp_path):
    source = saved(wide(64), tmp_path / "m.tflite")
    values = np.random.default_rng(1).random((1, 64), dtype=np.float32)

    result, _ = PASSES.load("dynamic").run(source, params, context(None))

    assert np.abs(answers(result.path, values) - answers(source.path, values)).max() < tolerance


def test_block_size_that_divides_no_layer_is_refused(context, tmp_path):
    source = saved(wide(40), tmp_path / "m.tflite")

    with pytest.raises(ConfigurationError, match=r"dynamic\.block_size: no dense layer has a multiple of 32 inputs"):
        PASSES.load("dynamic").run(source, {"bits": 4, "granularity": "block"}, context(None))


def test_blocks_of_8_bits_are_refused():
    with pytest.raises(ConfigurationError, match=r"dynamic\.granularity is 'block'"):
        PASSES.load("dynamic").parse({"granularity": "block"})


def test_layer_without_an_int4_kernel_is_named(context, tmp_path):
    from ai_edge_litert import schema_py_generated as schema

    model = tflite_files.conv()
    model.operatorCodes[0].builtinCode = model.operatorCodes[0].deprecatedBuiltinCode = 4
    options = schema.DepthwiseConv2DOptionsT()
    options.strideH = options.strideW = options.depthMultiplier = 1
    model.subgraphs[0].operators[0].builtinOptions = options
    model.subgraphs[0].operators[0].builtinOptionsType = schema.BuiltinOptions.DepthwiseConv2DOptions
    for tensor, shape in zip(model.subgraphs[0].tensors, ([1, 2, 2, 2], [1, 1, 1, 2], [2], [1, 2, 2, 2]), strict=True):
        tensor.shape = shape
    for buffer in model.buffers[1:]:
        buffer.data = np.frombuffer(np.ones(2, np.float32).tobytes(), np.uint8)

    _, record = PASSES.load("weight_only").run(saved(model, tmp_path / "m.tflite"), {"bits": 4}, context(None))

    assert "DEPTHWISE_CONV_2D y" in record.notes[0]


@pytest.mark.parametrize("name", ["dynamic_wi4_afp32", "weight_only_wi4_afp32", "dynamic_wi4b32_afp32"])
def test_int4_recipe_is_refused_where_the_runtime_has_no_int4(name):
    target = load_target("host")
    without = {key: replace(each, dtypes=each.dtypes - {"int4"}) for key, each in target.runtimes.items()}

    check_chain(load_recipe(name), target, "keras")
    with pytest.raises(UnsupportedError, match="has no int4 kernels"):
        check_chain(load_recipe(name), replace(target, runtimes=without), "keras")


def test_blocks_are_refused_where_xnnpack_is_missing():
    target = load_target("host")
    without = {key: replace(each, delegates=()) for key, each in target.runtimes.items()}

    with pytest.raises(UnsupportedError, match="XNNPACK"):
        check_chain(load_recipe("dynamic_wi4b32_afp32"), replace(target, runtimes=without), "keras")


def test_8_bits_ask_for_no_int4():
    target = load_target("host")
    without = {key: replace(each, dtypes=each.dtypes - {"int4"}) for key, each in target.runtimes.items()}

    check_chain(load_recipe("weight_only_wi8_afp32"), replace(target, runtimes=without), "keras")
