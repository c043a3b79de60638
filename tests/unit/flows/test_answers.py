"""Inputs in a model's own types, and statements about its outputs."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.core.artifact import TensorSpec
from edgekit.core.dataset import Dataset
from edgekit.core.measurement import Provenance
from edgekit.flows.accuracy import accuracy_of, agreement, classifies
from edgekit.flows.samples import model_inputs, synthetic_inputs

INT8 = TensorSpec(name="x", shape=(1, 2), dtype="int8", scale=0.5, zero_point=-1)
SCORES = TensorSpec(name="y", shape=(1, 3), dtype="int8", scale=0.25, zero_point=0)


def test_real_values_are_quantized_on_the_host() -> None:
    data = Dataset(name="d", inputs=(np.array([[0.0, 1.0], [-1.0, 1000.0]], np.float32),))

    (array,) = model_inputs(data, [INT8])

    assert array.dtype == np.int8
    assert array.tolist() == [[-1, 1], [-3, 127]]


def test_integers_of_the_models_type_are_taken_as_they_are() -> None:
    raw = np.array([[7, 8]], np.int8)

    (array,) = model_inputs(Dataset(name="d", inputs=(raw,)), [INT8])

    assert array.tolist() == [[7, 8]]


@pytest.mark.parametrize(("dtype", "limits"), [("uint8", (0, 255)), ("int8", (-128, 127))])
def test_synthetic_inputs_repeat_with_their_seed_and_fill_a_quantized_range(
    dtype: str, limits: tuple[int, int]
) -> None:
    spec = TensorSpec(name="x", shape=(-1, 40), dtype=dtype, scale=0.5, zero_point=0)

    first, again, other = (synthetic_inputs([spec], n=50, seed=seed)[0] for seed in (1, 1, 2))

    assert first.shape == (50, 40)
    assert (first.min(), first.max()) == limits
    assert (first == again).all()
    assert (first != other).any()


@pytest.mark.parametrize("dtype", ["int32", "int64", "uint8", "bool"])
def test_synthetic_integers_that_no_scale_explains_are_0_or_1(dtype: str) -> None:
    (array,) = synthetic_inputs([TensorSpec(name="ids", shape=(1, 40), dtype=dtype)], n=50, seed=1)

    assert array.dtype.name == dtype
    assert (array.min(), array.max()) == (0, 1)


def test_synthetic_floats_lie_between_0_and_1() -> None:
    (array,) = synthetic_inputs([TensorSpec(name="x", shape=(1, 40), dtype="float16")], n=50, seed=1)

    assert array.dtype.name == "float16"
    assert 0 <= array.min() < 0.1 < 0.9 < array.max() <= 1


def test_accuracy_counts_right_answers() -> None:
    found = accuracy_of(np.array([True, False, True, True]), provenance=Provenance.MEASURED)

    assert (found.correct, found.n, found.value) == (3, 4, 0.75)
    assert 0 < found.low < 0.75 < found.high < 1


@pytest.mark.parametrize(
    ("shapes", "is_classifier"),
    [
        ([(1, 10)], True),
        ([(1, 1, 1, 5)], True),
        ([(1, 2)], True),
        ([(1, 1)], False),
        ([(10,)], False),
        ([(1, 4, 4, 3)], False),
        ([(1, 10), (1, 10)], False),
    ],
)
def test_model_classifies_when_its_only_output_holds_scores(shapes: list[tuple[int, ...]], is_classifier: bool) -> None:
    outputs = [TensorSpec(name="y", shape=shape, dtype="float32") for shape in shapes]

    assert classifies(outputs) is is_classifier


def test_agreement_tells_answers_bits_and_distance_apart() -> None:
    ours = np.array([[1, 5, 2], [9, 0, 0], [0, 0, 3]], np.int8)
    theirs = np.array([[1, 5, 2], [9, 0, 1], [0, 4, 3]], np.int8)

    found = agreement([ours], [theirs], [SCORES], classifier=True)

    assert found.identical == 1
    assert found.share == pytest.approx(2 / 3)
    assert found.max_abs_difference == 4 * 0.25


def test_agreement_of_a_model_that_does_not_classify_is_the_share_of_equal_outputs() -> None:
    ours, theirs = np.array([[1.0], [2.0]], np.float32), np.array([[1.0], [2.5]], np.float32)

    found = agreement([ours], [theirs], [TensorSpec(name="y", shape=(1, 1), dtype="float32")], classifier=False)

    assert (found.share, found.identical, found.max_abs_difference) == (0.5, 1, 0.5)
