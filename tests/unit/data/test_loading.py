"""Checks that hold for every kind of data set: values, labels, doubts, limits."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.core.errors import InputError
from edgekit.core.metric import Labels
from edgekit.core.preprocessing import Preprocessing
from edgekit.data import check_labels, load_dataset, read_class_names


@pytest.fixture
def load(save_zip):
    """Loads samples and labels by way of a file."""

    def load_arrays(x, y=None, rule=None, **options):
        members = [("x", x)] if y is None else [("x", x), ("y", y)]
        return load_dataset(str(save_zip(*members)), rule, **options)

    return load_arrays


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_value_that_is_not_finite_names_its_sample(load, rng, bad):
    x = rng.random((10, 4))
    x[7, 2] = bad

    with pytest.raises(InputError, match="sample 7 has a value that is NaN or infinite") as caught:
        load(x)

    assert caught.value.exit_code == 3


def test_samples_and_labels_of_different_length_are_refused(load, rng):
    with pytest.raises(InputError, match="differ in length: 10, 9"):
        load(rng.random((10, 4)), np.arange(9))


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (np.array([0.0, 1.0, 0.5]), 'labels.astype("int64")'),
        (np.array([0.0, 1.0, 2.0]), 'labels.astype("int64")'),
        (np.array(["a", "b", "c"]), 'labels.astype("int64")'),
        (np.array([0, 1, -1]), "number the classes from 0"),
        (np.array([[0, 1], [1, 1], [1, 0]]), "one class number per sample"),
        (np.array([[[0]], [[1]], [[2]]]), "one class number per sample"),
    ],
)
def test_labels_that_are_no_class_numbers_are_refused(load, labels, words):
    with pytest.raises(InputError) as caught:
        load(np.eye(3), labels)

    assert words in caught.value.hint
    assert caught.value.message.split(":")[0].endswith("/data.npz")
    assert caught.value.exit_code == 3


@pytest.mark.parametrize(
    "labels",
    [
        np.array([0, 2, 1], np.uint8),
        np.array([[0], [2], [1]]),
        np.array([[1, 0, 0], [0, 0, 1], [0, 1, 0]], np.float32),
        np.array([0, 2, 1], ">i4"),
    ],
)
def test_labels_in_usual_forms_become_class_numbers(load, labels):
    made = load(np.eye(3), labels)

    assert made.labels.tolist() == [0, 2, 1]
    assert made.labels.dtype == np.int64


def test_booleans_are_classes_0_and_1(load):
    assert load(np.eye(3), np.array([True, False, True])).labels.tolist() == [1, 0, 1]


def test_limit_takes_every_class(load, rng):
    made = load(rng.random((100, 3)), np.repeat([0, 1], 50), limit=10)

    assert np.bincount(made.labels).tolist() == [5, 5]
    assert f"{made.name}: 10 samples are few: one more right answer is 10.0% of accuracy" in made.warnings


@pytest.mark.parametrize("limit", [0, -5])
def test_limit_that_leaves_nothing_is_refused(load, rng, limit):
    with pytest.raises(InputError, match="cannot take"):
        load(rng.random((10, 3)), limit=limit)


def test_one_class_only_is_doubted(load, rng):
    made = load(rng.random((200, 3)), np.full(200, 4))

    assert made.warnings == (f"{made.name}: all samples are of one class, so accuracy says nothing",)


def test_duplicates_above_one_percent_are_doubted(load, rng):
    x = rng.random((200, 3))
    x[:4] = x[100]

    doubted = load(x)

    assert doubted.warnings == (f"{doubted.name}: 4 of 200 samples repeat an earlier one",)
    assert load(np.concatenate([x[4:], x[:1]])).warnings == ()


def test_range_is_judged_on_the_stored_values(load, rng):
    made = load(rng.random((200, 3)), rule=Preprocessing(scale=1 / 255))

    assert len(made.warnings) == 1
    assert "look scaled already" in made.warnings[0]
    assert made.inputs[0].max() <= 1 / 255


def test_digest_depends_on_the_preprocessing(load, rng):
    x = rng.random((200, 3))

    assert load(x).digest == load(x).digest
    assert load(x).digest != load(x, rule=Preprocessing(scale=2.0)).digest


@pytest.mark.parametrize(
    ("kind", "stored", "dtype"),
    [
        (Labels.VALUES, np.array([0.5, -1, 2]), np.float64),
        (Labels.VALUES, np.array([[1, 2], [3, 4], [-5, 6]]), np.float64),
        (Labels.STORED, np.array([[0.5], [1], [2]], np.float32), np.float64),
        (Labels.STORED, np.array([-1, 0, 7], np.int16), np.int64),
    ],
)
def test_labels_that_are_values_are_taken_as_they_are(save_zip, kind, stored, dtype):
    made = load_dataset(str(save_zip(("x", np.eye(3)), ("y", stored))), limit=2, labels=kind)

    assert made.labels.dtype == dtype
    assert made.labels.shape == (2, *stored.shape[1:])
    assert "any metric on them is rough" in " ".join(made.warnings) or kind is Labels.STORED


@pytest.mark.parametrize("kind", [Labels.VALUES, Labels.STORED])
@pytest.mark.parametrize("stored", [np.array([0, np.nan, 1]), np.array(["a", "b", "c"])])
def test_values_that_are_no_numbers_are_refused(save_zip, kind, stored):
    with pytest.raises(InputError, match="label"):
        load_dataset(str(save_zip(("x", np.eye(3)), ("y", stored))), labels=kind)


def test_refusal_of_values_names_the_metric_that_takes_them(load):
    with pytest.raises(InputError) as refused:
        load(np.eye(3), np.array([0.0, 1.0, 0.5]))

    assert "--metric mae" in (refused.value.hint or "")


def test_labels_beyond_the_models_classes_are_refused_with_both(load):
    made = load(np.eye(4), np.array([0, 1, 2, 10]))

    with pytest.raises(InputError, match=r"label 3 of .* is 10, and the model has 10 classes"):
        check_labels(made, 10)
    check_labels(made, 11)


def test_class_names_that_do_not_go_with_the_model_are_refused_with_both(save_zip):
    path = save_zip(("x", np.eye(2)), ("y", np.arange(2)), ("classes", np.array(["cat", "dog"])))

    with pytest.raises(InputError, match=r"data\.npz names 2 classes, and the model has 10"):
        check_labels(load_dataset(str(path)), 10)


def test_class_names_are_read_from_a_text_file(tmp_path):
    path = tmp_path / "labels.txt"
    path.write_bytes("\N{BYTE ORDER MARK}cat\r\nhot dog\r\n\n".encode())

    assert read_class_names(path) == ("cat", "hot dog")


@pytest.mark.parametrize("content", [b"", b"cat\n\ndog\n", b"\xff\n", b"x\n" * 2**20])
def test_file_that_is_no_list_of_names_is_refused(tmp_path, content):
    path = tmp_path / "labels.txt"
    path.write_bytes(content)

    with pytest.raises(InputError):
        read_class_names(path)
