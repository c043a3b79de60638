"""The .tflite reader against the schema's own writer, against hostile bytes, and against models with known figures."""

from __future__ import annotations

import signal
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from hypothesis import example, given, settings
from hypothesis import strategies as st

from edgekit.core.artifact import TensorSpec
from edgekit.core.errors import MalformedModelError
from edgekit.core.tflite.facts import (
    has_float_weights,
    is_fully_integer,
    multiply_accumulates,
    operator_table,
    parameter_count,
    tensors_with_bad_values,
)
from edgekit.core.tflite.model import is_tflite, parse_model, read_model
from edgekit.core.tflite.names import BUILTIN_OPERATORS, TENSOR_TYPES
from tests.models import tflite_files as files

SHARED = Path(__file__).parents[4] / "shared" / "models"
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="the shared material is not beside the project")
DENSE = files.packed(files.dense())
_LIMIT_S = 5

# Multiply-accumulates: MLPerf Tiny, and by hand from the layers. Parameters: by hand, batch normalisation folded.
# AD: 640-128-128-128-128-8-128-128-128-128-640; IC: ResNet8; KWS: DS-CNN with 64 channels.
REAL = [
    ("kws_ref_model.tflite", 2_656_768, 22_604),
    ("kws_ref_model_float32.tflite", 2_656_768, 22_604),
    ("vww_96_int8.tflite", 7_489_664, 210_850),
    ("vww_96_float.tflite", 7_489_664, 210_850),
    ("pretrainedResnet_quant.tflite", 12_501_632, 77_706),
    ("pretrainedResnet.tflite", 12_501_632, 77_706),
    ("ad01_int8.tflite", 264_192, 265_864),
    ("ad01_fp32.tflite", 264_192, 265_864),
]


@contextmanager
def _quick() -> Iterator[None]:
    """Fail where parsing eats the processor; a limit on CPU time, so that a busy machine changes nothing."""
    assert threading.current_thread() is threading.main_thread()

    def too_slow(*_: Any) -> None:
        raise AssertionError(f"parsing took more than {_LIMIT_S} s of CPU time")

    old = signal.signal(signal.SIGPROF, too_slow)
    signal.setitimer(signal.ITIMER_PROF, _LIMIT_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, old)


def survives(data: bytes) -> None:
    """Whatever the bytes are, the answer is a model or our error; the facts of a model can be had."""
    with _quick():
        try:
            model = parse_model(data)
        except MalformedModelError:
            return
        operator_table(model)
        parameter_count(model)
        multiply_accumulates(model)
        tensors_with_bad_values(model)
        is_fully_integer(model)
        has_float_weights(model)
        model.input_specs()
        model.output_specs()


def test_reader_agrees_with_the_schemas_writer():
    model = parse_model(DENSE)

    assert (model.version, model.description) == (3, "made for a test")
    assert model.input_specs() == (TensorSpec(name="x", shape=(1, 4), dtype="float32"),)
    assert model.output_specs() == (TensorSpec(name="y", shape=(1, 3), dtype="float32"),)
    assert [operator.name for operator in model.main.operators] == ["FULLY_CONNECTED", "SOFTMAX"]
    assert [operator.inputs for operator in model.main.operators] == [(0, 1, 2), (3,)]
    weights = model.main.tensors[1]
    expected = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
    assert weights.is_constant
    assert bytes(weights.data) == expected.tobytes()


def test_facts_of_the_dense_model():
    model = parse_model(DENSE)

    assert (multiply_accumulates(model), parameter_count(model)) == (12, 15)
    assert has_float_weights(model)
    assert not is_fully_integer(model)
    assert tensors_with_bad_values(model) == ()


def test_quantization_is_read():
    (spec,) = parse_model(files.packed(files.quantized([0.5], [-7]))).input_specs()

    assert (spec.dtype, spec.scale, spec.zero_point) == ("int8", 0.5, -7)


def test_open_batch_shows_in_the_signature():
    def open_batch(model: Any) -> None:
        model.subgraphs[0].tensors[0].shapeSignature = [-1, 4]

    (spec,) = parse_model(files.dense_with(open_batch)).input_specs()

    assert spec.shape == (-1, 4)


def test_custom_operator_is_named():
    (row,) = operator_table(parse_model(files.packed(files.custom_op("FlexErf"))))

    assert (row.name, row.is_custom, row.count) == ("FlexErf", True, 1)


def test_names_are_the_schemas():
    operators = {number: name for name, number in vars(schema.BuiltinOperator).items() if not name.startswith("_")}
    types = {number: name.lower() for name, number in vars(schema.TensorType).items() if not name.startswith("_")}

    assert {number: BUILTIN_OPERATORS[number] for number in operators} == operators
    assert {number: TENSOR_TYPES[number] for number in types} == types


def break_graph(change: Callable[[Any], None]) -> Callable[[], bytes]:
    return lambda: files.dense_with(lambda model: change(model.subgraphs[0]))


def _set(attribute: str, value: Any) -> Callable[[Any], None]:
    return lambda thing: setattr(thing, attribute, value)


BROKEN: dict[str, tuple[Callable[[], bytes], str]] = {
    "6: required input is -1": (
        break_graph(lambda g: _set("inputs", [0, -1, 2])(g.operators[0])),
        "lacks a required input",
    ),
    "6: data input is -1": (
        break_graph(lambda g: _set("inputs", [-1, 1, 2])(g.operators[0])),
        "lacks a required input",
    ),
    "6: operator input past the end": (
        break_graph(lambda g: _set("inputs", [0, 99, 2])(g.operators[0])),
        "tensor 99 of 5",
    ),
    "6: operator output is -1": (break_graph(lambda g: _set("outputs", [-1])(g.operators[0])), "tensor -1 of 5"),
    "6: graph input is -1": (break_graph(_set("inputs", [-1])), "tensor -1 of 5"),
    "6: graph output past the end": (break_graph(_set("outputs", [5])), "tensor 5 of 5"),
    "6: activation has no input": (
        break_graph(lambda g: _set("inputs", [-1])(g.operators[1])),
        "lacks a required input",
    ),
    "7: filter without channels": (lambda: files.packed(files.conv(filter_channels=0)), "the shape [1, 1, 1, 0]"),
    "8: shape overflows": (break_graph(lambda g: _set("shape", [2**31 - 1] * 2)(g.tensors[0])), "impossible shape"),
    "8: shape of nine axes overflows": (
        break_graph(lambda g: _set("shape", [2**30] * 9)(g.tensors[3])),
        "impossible shape",
    ),
    "8: negative shape": (break_graph(lambda g: _set("shape", [1, -4])(g.tensors[3])), "impossible shape"),
    "13: no inputs": (break_graph(_set("inputs", [])), "no inputs"),
    "13: no outputs": (break_graph(_set("outputs", [])), "no outputs"),
    "13: no graph": (lambda: files.dense_with(_set("subgraphs", [])), "no graph"),
    "15: scale 0": (lambda: files.packed(files.quantized([0.0], [0])), "'x' has a scale that is not a positive"),
    "15: scale NaN": (lambda: files.packed(files.quantized([float("nan")], [0])), "'x' has a scale"),
    "15: scale infinite": (lambda: files.packed(files.quantized([float("inf")], [0])), "'x' has a scale"),
    "15: scale negative": (lambda: files.packed(files.quantized([-1.0], [0])), "'x' has a scale"),
    "15: zero point 200 of int8": (
        lambda: files.packed(files.quantized([1.0], [200])),
        "'x' has a zero point out of range",
    ),
    "15: zero point 2^40": (lambda: files.packed(files.quantized([1.0], [2**40])), "'x' has a zero point out of range"),
    "15: two scales, three zero points": (
        lambda: files.packed(files.quantized([1.0, 1.0], [0, 0, 0])),
        "3 zero points",
    ),
    "values too short": (
        lambda: files.dense_with(lambda m: _set("data", np.zeros(3, np.uint8))(m.buffers[1])),
        "holds 3 bytes",
    ),
    "buffer past the end": (break_graph(lambda g: _set("buffer", 77)(g.tensors[1])), "buffer 77 of 3"),
    "operator code past the end": (break_graph(lambda g: _set("opcodeIndex", 9)(g.operators[0])), "code 9 of 2"),
    "unknown operator": (
        lambda: files.dense_with(lambda m: _set("builtinCode", 9999)(m.operatorCodes[0])),
        "operator number 9999",
    ),
    "unknown type": (break_graph(lambda g: _set("type", 101)(g.tensors[0])), "type number 101"),
    "buffer behind the file": (
        lambda: files.dense_with(lambda m: (_set("offset", 2**40)(m.buffers[1]), _set("size", 48)(m.buffers[1]))),
        "past the end of the file",
    ),
}


@pytest.mark.parametrize(("make", "says"), BROKEN.values(), ids=BROKEN)
def test_contradiction_is_refused_and_named(make, says):
    with pytest.raises(MalformedModelError) as caught:
        parse_model(make())

    assert says in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("data", [b"", b"T", b"\0\0\0\0TFL3", b"\0\0\0\0TFL", b"\xff" * 4 + b"TFL3" + b"\xff" * 100])
def test_bytes_that_are_hardly_a_model_are_refused(data):
    with pytest.raises(MalformedModelError):
        parse_model(data)


def test_identifier_alone_is_recognised():
    assert is_tflite(DENSE[:8])
    assert not is_tflite(b"TFL3" + DENSE[:4])
    assert not is_tflite(b"")


@pytest.mark.parametrize("twentieth", range(1, 20))
def test_truncated_model_is_refused(twentieth):
    with pytest.raises(MalformedModelError):
        parse_model(DENSE[: len(DENSE) * twentieth // 20])


def test_every_truncation_and_every_flipped_byte_gives_a_model_or_our_error():
    for length in range(len(DENSE)):
        survives(DENSE[:length])
    for place in range(len(DENSE)):
        for flip in (0x01, 0x80, 0xFF):
            survives(DENSE[:place] + bytes([DENSE[place] ^ flip]) + DENSE[place + 1 :])


def test_every_offset_made_huge_gives_a_model_or_our_error():
    for place in range(0, len(DENSE) - 4, 4):
        for value in (0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, len(DENSE), 0x00FFFFFF):
            survives(DENSE[:place] + struct.pack("<I", value) + DENSE[place + 4 :])


mutations = st.lists(
    st.tuples(st.integers(0, len(DENSE) - 1), st.binary(min_size=1, max_size=8)), min_size=1, max_size=12
)


@settings(max_examples=300, deadline=None)
@given(mutations, st.integers(0, len(DENSE)), st.binary(max_size=64))
@example([], len(DENSE), b"")
def test_random_damage_gives_a_model_or_our_error(changes, length, tail):
    data = bytearray(DENSE)
    for place, patch in changes:
        data[place : place + len(patch)] = patch

    survives(bytes(data[:length]) + tail)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=400))
def test_random_tail_behind_the_magic_gives_a_model_or_our_error(tail):
    survives(b"\x1c\0\0\0TFL3" + tail)


@pytest.mark.parametrize("kind", ["one list", "one table", "one name"])
def test_file_whose_tables_share_one_long_list_is_refused_before_memory_is_gone(kind):
    data = files.overlapping(kind, 20_000)

    with _quick(), pytest.raises(MalformedModelError, match="lists overlap"):
        parse_model(data)


def test_string_that_is_no_utf8_is_shown_replaced():
    data = DENSE.replace(b"weights", b"w\xff\xfeghts")

    assert parse_model(data).main.tensors[1].name == "w\ufffd\ufffdghts"


def test_nan_and_infinity_are_found():
    def poison(model: Any) -> None:
        weights = np.ones(12, np.float32)
        weights[3] = np.nan
        model.buffers[1].data = np.frombuffer(weights.tobytes(), np.uint8)
        model.buffers[2].data = np.frombuffer(np.full(3, np.inf, np.float32).tobytes(), np.uint8)

    assert tensors_with_bad_values(parse_model(files.dense_with(poison))) == ("weights", "bias")


@needs_shared
@pytest.mark.shared_data
@pytest.mark.parametrize(("name", "macs", "parameters"), REAL)
def test_real_model_has_its_known_figures(name, macs, parameters):
    model = read_model(SHARED / "mlperf_tiny" / name)

    assert (multiply_accumulates(model), parameter_count(model)) == (macs, parameters)


@needs_shared
@pytest.mark.shared_data
def test_every_real_model_is_read_as_the_runtime_reads_it():
    from ai_edge_litert.interpreter import Interpreter

    compared = 0
    for path in sorted(SHARED.rglob("*.tflite")):
        model = read_model(path)
        try:
            runtime = Interpreter(model_path=str(path))
        except ValueError:
            continue  # person_detect: LiteRT refuses the quantized axis that old converters wrote
        for specs, details in (
            (model.input_specs(), runtime.get_input_details()),
            (model.output_specs(), runtime.get_output_details()),
        ):
            assert [(s.name, s.shape, s.dtype) for s in specs] == [
                (d["name"], tuple(d["shape_signature"]), np.dtype(d["dtype"]).name) for d in details
            ], path
            assert [(s.scale or 0.0, s.zero_point or 0) for s in specs] == [
                pytest.approx(d["quantization"]) for d in details
            ]
            compared += 1
    assert compared >= 30


@needs_shared
@pytest.mark.shared_data
@pytest.mark.parametrize("twentieth", range(1, 20))
def test_real_model_cut_short_gives_a_model_or_our_error(twentieth):
    data = (SHARED / "tflm" / "hello_world_int8.tflite").read_bytes()

    survives(data[: len(data) * twentieth // 20])
