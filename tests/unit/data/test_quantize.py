"""Quantization as the runtime's kernels do it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from edgekit.core.artifact import TensorSpec
from edgekit.core.errors import InputError
from edgekit.core.quantize import argmax_answers, dequantize, quantize


def spec(dtype: str = "int8", scale: float | None = 0.5, zero_point: int | None = 0) -> TensorSpec:
    return TensorSpec(name="t", shape=(1, -1), dtype=dtype, scale=scale, zero_point=zero_point)


def test_ties_go_to_the_even_neighbour_as_in_litert():
    # What LiteRT 2.3's QUANTIZE with this scale answered, XNNPACK and optimized kernels alike.
    x = (np.arange(2, 8) - 32 + 0.5) * 0.5

    assert quantize(x, spec()).tolist() == [-30, -28, -28, -26, -26, -24]


def test_division_is_done_in_float32():
    # Answers of LiteRT 2.3's QUANTIZE; division in float64 would give 6, 10, 12, 16, 18, 18.
    x = np.array([-5.8607845, -5.2843137, -4.7078433, -4.1313725, -3.7470589, -3.554902], np.float32)
    tensor = spec(scale=0.1921568661928177, zero_point=37)

    assert quantize(x, tensor).tolist() == [7, 9, 13, 15, 17, 19]
    assert quantize(x.astype(np.float64), tensor).tolist() == [7, 9, 13, 15, 17, 19]


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16"])
def test_values_out_of_range_saturate(dtype):
    limits = np.iinfo(dtype)

    answer = quantize(np.array([1e30, -1e30, np.inf, -np.inf]), spec(dtype, zero_point=3))

    assert answer.dtype == dtype
    assert answer.tolist() == [limits.max, limits.min, limits.max, limits.min]


def test_nan_is_refused():
    with pytest.raises(InputError, match="is NaN"):
        quantize(np.array([np.nan]), spec())


@pytest.mark.parametrize("dtype", ["int8", "uint8"])
def test_every_integer_survives_the_way_there_and_back(dtype):
    limits = np.iinfo(dtype)
    all_values = np.arange(limits.min, limits.max + 1).astype(dtype)
    tensor = spec(dtype, scale=0.0078125 / 3, zero_point=7)

    assert (quantize(dequantize(all_values, tensor), tensor) == all_values).all()


@given(
    hnp.arrays(np.float32, st.integers(1, 20), elements=st.floats(-100, 100, width=32)),
    st.floats(1 / 64, 8, width=32),
)
def test_error_is_at_most_half_a_step_within_the_range(x, scale):
    tensor = spec("int16", scale=scale)

    back = dequantize(quantize(x, tensor), tensor)

    assert (np.abs(back - x) <= scale * 0.5001).all()


def test_float_tensors_pass_through():
    x = np.array([1.5, -2.5], np.float32)
    tensor = spec("float32", None, None)

    assert quantize(x, tensor) is x
    assert dequantize(x, tensor) is x
    assert dequantize(np.array([1], np.float16), tensor).dtype == np.float32


def test_input_is_left_alone():
    x = np.ones(4, np.float32)

    quantize(x, spec())

    assert (x == 1).all()


@pytest.mark.parametrize("dtype", ["float32", "int8", "uint8"])
def test_answer_is_the_highest_score_and_the_first_of_equal_ones(dtype):
    scores = np.array([[1, 5, 2], [7, 7, 0], [0, 0, 9]], dtype)

    assert argmax_answers(scores).tolist() == [1, 0, 2]


def test_axes_of_length_one_are_dropped():
    assert argmax_answers(np.array([[[[0, 1]]], [[[1, 0]]]])).tolist() == [1, 0]


def test_nan_answers_nothing():
    assert argmax_answers(np.array([[0.0, np.nan], [0.0, 1.0]])).tolist() == [-1, 1]


@pytest.mark.parametrize("shape", [(4,), (4, 1), (4, 8, 8, 3)])
def test_output_that_is_no_classifiers_is_refused(shape):
    with pytest.raises(InputError, match="no scores per class"):
        argmax_answers(np.zeros(shape))
