"""A data set's identity, its samples by seed, and what it shares with another."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgekit.core.dataset import Dataset, DatasetSpec, choose
from edgekit.core.errors import InputError
from edgekit.core.preprocessing import Preprocessing


def dataset(inputs: np.ndarray, labels: np.ndarray | None = None, **more) -> Dataset:
    return Dataset(name="test", inputs=(inputs,), labels=labels, **more)


def test_digest_changes_with_everything_that_matters():
    x = np.arange(12, dtype=np.float32).reshape(4, 3)
    y = np.array([0, 1, 0, 1])
    other = x.copy()
    other[3, 2] = 0
    variants = [
        dataset(x, y),
        dataset(other, y),
        dataset(x, 1 - y),
        dataset(x),
        dataset(x.astype(np.float64), y),
        dataset(x.reshape(4, 3, 1), y),
        dataset(x, y, preprocessing=Preprocessing(scale=2.0)),
    ]

    assert len({variant.digest for variant in variants}) == len(variants)


def test_digest_is_that_of_the_content_alone():
    x = np.arange(12, dtype=np.float32).reshape(4, 3)
    same = [
        dataset(x),
        dataset(np.asfortranarray(x)),
        dataset(x.astype(">f4")),
        Dataset(name="renamed", inputs=(x.copy(),), warnings=("one",), class_names=("a",)),
    ]

    header = (
        '{"inputs":[["float32",[4,3]]],"labels":null,"preprocessing":{"color":"rgb","dtype":"float32","layout":"nhwc",'
        '"mean":[],"offset":0.0,"resize":null,"scale":1.0,"std":[]}}'
    )
    assert {one.digest for one in same} == {hashlib.sha256(header.encode() + x.tobytes()).hexdigest()}


def test_arrays_are_read_only_and_the_callers_are_not():
    x, y = np.zeros((2, 3), np.float32), np.zeros(2, np.int64)

    made = dataset(x, y)

    with pytest.raises(ValueError, match="read-only"):
        made.inputs[0][0] = 1
    with pytest.raises(ValueError, match="read-only"):
        made.labels[0] = 1
    x[0] = 1
    y[0] = 1


def test_inputs_and_labels_of_different_length_are_refused():
    with pytest.raises(InputError, match=r"differ in length: 3, 2") as caught:
        dataset(np.zeros((3, 2)), np.zeros(2, np.int64))

    assert caught.value.exit_code == 3


def test_representative_takes_the_same_samples_for_the_same_seed():
    x = np.arange(1000, dtype=np.float32).reshape(1000, 1)

    first, again, other = (dataset(x).representative(50, seed) for seed in (1, 1, 2))

    assert first.digest == again.digest
    assert first.digest != other.digest
    assert first.inputs[0][:5, 0].tolist() == [9.0, 36.0, 61.0, 75.0, 93.0]


def test_representative_gives_rare_classes_their_share():
    labels = np.array([0] * 980 + [1] * 15 + [2] * 5)

    taken = dataset(np.arange(1000), labels).representative(30, seed=0)

    assert np.bincount(taken.labels).tolist() == [13, 12, 5]


def test_representative_of_too_few_is_everything():
    made = dataset(np.zeros((3, 2)), np.zeros(3, np.int64))

    assert made.representative(10, seed=0) is made


@given(
    labels=st.lists(st.integers(0, 5), min_size=1, max_size=60),
    n=st.integers(1, 70),
    seed=st.integers(0, 2**32),
    labelled=st.booleans(),
)
def test_choose_takes_each_sample_once_and_balances_classes(labels, n, seed, labelled):
    array = np.array(labels)

    chosen = choose(len(labels), n, seed=seed, labels=array if labelled else None)

    assert len(chosen) == min(n, len(labels))
    assert (np.diff(chosen) > 0).all()
    assert chosen.min() >= 0
    assert chosen.max() < len(labels)
    if labelled:
        there, taken = np.bincount(array, minlength=6), np.bincount(array[chosen], minlength=6)
        unsated = taken[taken < there]
        assert unsated.size == 0 or taken.max() - unsated.min() <= 1


@pytest.mark.parametrize("n", [0, -1])
def test_choose_refuses_to_take_none(n):
    with pytest.raises(InputError, match="cannot take"):
        choose(5, n, seed=0)


def test_overlap_counts_shared_samples_byte_for_byte(rng):
    x = rng.random((100, 4), np.float32)
    calibration, evaluation = dataset(x[:60]), dataset(x[50:])

    assert evaluation.overlap(calibration) == 10
    assert dataset(x[60:]).overlap(calibration) == 0


def test_duplicates_count_repeats():
    x = np.array([[1.0], [2.0], [1.0], [1.0]])

    assert dataset(x).duplicates() == 2


def test_samples_of_several_inputs_are_told_apart_by_all_of_them():
    made = Dataset(name="two", inputs=(np.array([1, 1]), np.array([2, 3])))

    assert made.duplicates() == 0


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("a/b.npz", DatasetSpec(path=Path("a/b.npz"))),
        ("a/b.npz#test", DatasetSpec(path=Path("a/b.npz"), selector="test")),
        ("b.npz#x=one+two,y=three", DatasetSpec(path=Path("b.npz"), selector="x=one+two,y=three")),
        ("package.module:function", DatasetSpec(function="package.module:function")),
        ("C:\\data", DatasetSpec(path=Path("C:\\data"))),
    ],
)
def test_spec_is_read_and_written_back(text, spec):
    assert DatasetSpec.parse(text) == spec
    assert str(spec) == text


def test_spec_is_taken_from_a_folder_unless_absolute():
    assert str(DatasetSpec.parse("a.npz#t").relative_to(Path("/p"))) == "/p/a.npz#t"
    assert str(DatasetSpec.parse("/a.npz").relative_to(Path("/p"))) == "/a.npz"
    assert str(DatasetSpec.parse("m:f").relative_to(Path("/p"))) == "m:f"


@settings(deadline=None)
@given(st.integers(0, 40), st.integers(0, 40))
def test_take_keeps_samples_and_labels_together(first, second):
    x = np.arange(41, dtype=np.int64)

    taken = dataset(x * 10, x).take([first, second])

    assert (taken.inputs[0] == taken.labels * 10).all()
