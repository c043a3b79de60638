"""A data set against a model's inputs: what is mended silently, and what both sides are told."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.core.artifact import TensorSpec
from edgekit.core.dataset import Dataset
from edgekit.core.errors import InputError
from edgekit.data import check_against_model


def spec(*shape: int, dtype: str = "float32", scale: float | None = None) -> TensorSpec:
    zero_point = None if scale is None else 0
    return TensorSpec(name="image", shape=shape, dtype=dtype, scale=scale, zero_point=zero_point)


def samples(*shape: int, dtype: str = "float32") -> Dataset:
    return Dataset(name="digits", inputs=(np.zeros((5, *shape), dtype),))


@pytest.mark.parametrize("model", [spec(1, 28, 28, 3), spec(-1, 28, 28, 3), spec(1, -1, -1, 3)])
def test_data_that_fits_is_returned_as_it_is(model):
    made = samples(28, 28, 3)

    assert check_against_model(made, [model]) is made


@pytest.mark.parametrize(
    ("have", "want"),
    [
        ((28, 28), (28, 28, 1)),
        ((28, 28), (1, 28, 28)),
        ((8000,), (8000, 1)),
        ((), (1,)),
    ],
)
def test_channel_axis_of_length_one_is_added(have, want):
    made = check_against_model(samples(*have), [spec(1, *want)])

    assert made.inputs[0].shape == (5, *want)


def test_axis_is_not_guessed_when_both_ends_would_do():
    with pytest.raises(InputError):
        check_against_model(samples(28, 28), [spec(1, -1, -1, -1)])


@pytest.mark.parametrize(
    ("have", "want", "advice"),
    [
        ((32, 24, 3), (3, 32, 24), "the samples are NHWC, the model is NCHW"),
        ((3, 32, 24), (32, 24, 3), "the samples are NCHW, the model is NHWC"),
        ((32, 24, 1), (32, 24, 3), 'set color = "rgb"'),
        ((32, 24, 3), (32, 24, 1), 'set color = "gray"'),
        ((32, 24, 3), (96, 96, 3), "set resize = [96, 96]"),
        ((28, 28), (784,), "reshape the samples"),
        ((28, 28), (10,), "samples of the model's shape"),
    ],
)
def test_shape_that_differs_is_shown_on_both_sides_with_the_way_out(have, want, advice):
    with pytest.raises(InputError) as caught:
        check_against_model(samples(*have), [spec(1, *want)])

    assert f"the shape {'x'.join(map(str, have))}," in caught.value.message
    assert f"takes {'x'.join(map(str, want))}" in caught.value.message
    assert advice in caught.value.hint
    assert caught.value.exit_code == 3


@pytest.mark.parametrize(
    ("have", "model"),
    [
        ("float32", spec(1, 4, dtype="int8", scale=0.5)),
        ("uint8", spec(1, 4, dtype="uint8", scale=0.5)),
        ("float32", spec(1, 4, dtype="float16")),
        ("int32", spec(1, 4, dtype="int32")),
    ],
)
def test_dtype_that_can_be_fed_is_accepted(have, model):
    check_against_model(samples(4, dtype=have), [model])


@pytest.mark.parametrize(
    ("have", "model", "dtype"),
    [
        ("uint8", spec(1, 4), "float32"),
        ("uint8", spec(1, 4, dtype="int8", scale=0.5), "float32"),
        ("float32", spec(1, 4, dtype="int32"), "int32"),
    ],
)
def test_dtype_that_cannot_be_fed_is_refused_with_the_one_to_set(have, model, dtype):
    with pytest.raises(InputError) as caught:
        check_against_model(samples(4, dtype=have), [model])

    assert caught.value.hint == f'set dtype = "{dtype}" in [preprocess]'


def test_number_of_inputs_is_compared():
    with pytest.raises(InputError, match="has 1 inputs per sample, and the model takes 2"):
        check_against_model(samples(4), [spec(1, 4), spec(1, 4)])
