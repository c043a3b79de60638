"""One arithmetic rule from stored values to a model's input, and the doubt about it."""

from __future__ import annotations

import json

import numpy as np
import pytest

from edgekit.core.errors import InputError
from edgekit.core.preprocessing import Color, Layout, Preprocessing


def test_nothing_declared_casts_to_float32_and_changes_no_value():
    x = np.array([[0, 255]], np.uint8)

    y = Preprocessing().apply(x)

    assert y.dtype == np.float32
    assert y.tolist() == [[0.0, 255.0]]


def test_values_are_kept_when_there_is_nothing_to_do():
    x = np.zeros((2, 3), np.float32)

    assert Preprocessing().apply(x) is x


@pytest.mark.parametrize("layout", list(Layout))
def test_scale_mean_and_std_work_along_the_channels(layout, rng):
    nhwc = rng.integers(0, 256, (2, 4, 5, 3), np.uint8)
    mean, std = (0.5, 0.4, 0.3), (0.2, 0.3, 0.4)
    rule = Preprocessing(scale=1 / 255, offset=0.1, mean=mean, std=std, layout=layout)
    expected = (nhwc / 255 + 0.1 - np.array(mean)) / np.array(std)

    y = rule.apply(nhwc if layout is Layout.NHWC else nhwc.transpose(0, 3, 1, 2))

    np.testing.assert_allclose(y if layout is Layout.NHWC else y.transpose(0, 2, 3, 1), expected, rtol=1e-5, atol=1e-6)


def test_input_array_is_left_alone():
    x = np.ones((2, 2), np.float32)

    Preprocessing(scale=3.0).apply(x)

    assert (x == 1).all()


def test_mean_that_does_not_fit_the_channels_is_refused_with_both_sides():
    with pytest.raises(InputError, match=r"mean has 3 values, and the samples have the shape \[8, 8, 1\] \(nhwc\)"):
        Preprocessing(mean=(0.1, 0.2, 0.3)).apply(np.zeros((4, 8, 8, 1)))


def test_values_that_do_not_fit_an_integer_type_are_refused():
    with pytest.raises(InputError, match="do not fit int8"):
        Preprocessing(dtype="int8").apply(np.array([[200]], np.uint8))


def test_bytes_are_moved_into_int8():
    y = Preprocessing(offset=-128, dtype="int8").apply(np.array([[0, 128, 255]], np.uint8))

    assert y.dtype == np.int8
    assert y.tolist() == [[-128, 0, 127]]


def test_values_between_integers_go_to_the_nearest_even_one():
    y = Preprocessing(scale=0.5, dtype="uint8").apply(np.array([[1, 3, 4, 5]], np.uint8))

    assert y.tolist() == [[0, 2, 2, 2]]


def test_std_that_is_not_positive_is_refused():
    with pytest.raises(InputError, match="not positive"):
        Preprocessing(std=(1.0, 0.0))


def test_rule_is_json():
    rule = Preprocessing(mean=(0.5,), resize=(8, 9), layout=Layout.NCHW, color=Color.GRAY)

    assert json.loads(json.dumps(rule.as_json()))["resize"] == [8, 9]
    assert json.loads(json.dumps(rule.as_json()))["layout"] == "nchw"


BYTES = np.array([[0, 100, 255]], np.uint8)
UNIT = np.array([[0.0, 0.5, 1.0]], np.float32)


@pytest.mark.parametrize(
    ("rule", "stored", "words"),
    [
        (Preprocessing(), BYTES, "nothing scales them"),
        (Preprocessing(), BYTES.astype(np.float32), "nothing scales them"),
        (Preprocessing(scale=1 / 255), UNIT, "look scaled already"),
        (Preprocessing(mean=(0.485,), std=(0.229,)), BYTES, "is missing"),
    ],
)
def test_range_that_contradicts_the_rule_is_doubted(rule, stored, words):
    assert words in rule.suspicion(stored)


@pytest.mark.parametrize(
    ("rule", "stored"),
    [
        (Preprocessing(scale=1 / 255), BYTES),
        (Preprocessing(), UNIT),
        (Preprocessing(dtype="uint8"), BYTES),
        (Preprocessing(scale=1 / 255), np.array([[0, 1]], np.uint8)),
        (Preprocessing(scale=1 / 32768), np.array([[-20000, 20000]], np.int16)),
        (Preprocessing(), np.array([[0, 60000]], np.int32)),
        (Preprocessing(mean=(127.5,), std=(127.5,)), BYTES),
        (Preprocessing(), np.zeros((0, 3))),
    ],
)
def test_range_that_goes_with_the_rule_is_not_doubted(rule, stored):
    assert rule.suspicion(stored) is None


@pytest.mark.parametrize(
    ("rule", "stored", "words"),
    [
        (Preprocessing(mean=(1e38,)), UNIT, "values from -1e+38 to -1e+38 of them"),
        (Preprocessing(std=(1e-12,)), UNIT, "values from 0 to 1e+12 of them"),
        (Preprocessing(scale=0.0, offset=3.0), BYTES, "makes 3 of every value"),
    ],
)
def test_values_that_no_model_was_trained_with_are_doubted(rule, stored, words):
    assert words in str(rule.absurdity(stored, rule.apply(stored)))


@pytest.mark.parametrize(
    ("rule", "stored"),
    [
        (Preprocessing(), np.array([[1e30, -1e30]])),
        (Preprocessing(scale=0.5), np.array([[4e7, -4e7]])),
        (Preprocessing(scale=1 / 255), BYTES),
        (Preprocessing(scale=1 / 255), np.zeros((1, 3), np.uint8)),
        (Preprocessing(scale=2.0), np.zeros((0, 3))),
    ],
    ids=["unchanged", "smaller than before", "usual", "stored alike", "empty"],
)
def test_values_that_a_model_may_be_trained_with_are_not_doubted(rule, stored):
    assert rule.absurdity(stored, rule.apply(stored)) is None
