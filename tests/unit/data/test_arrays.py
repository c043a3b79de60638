"""`.npz` and `.npy`: what is chosen, and what is refused before it can do harm."""

from __future__ import annotations

import os
import zipfile
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgekit.core.errors import InputError, VerificationError
from edgekit.data import load_dataset
from edgekit.data.npz import choose_arrays

MNIST = Path(__file__).resolve().parents[4] / "shared" / "data" / "mnist.npz"


@pytest.fixture
def pairs(tmp_path, rng):
    """An archive like MNIST's: training and test samples."""
    path = tmp_path / "pairs.npz"
    x = rng.integers(0, 256, (30, 5, 5), np.uint8)
    np.savez_compressed(path, x_train=x[:20], y_train=np.arange(20) % 4, x_test=x[20:], y_test=np.arange(10) % 4)
    return path


def test_selector_picks_samples_and_labels(pairs):
    train, test = load_dataset(f"{pairs}#train"), load_dataset(f"{pairs}#test")

    assert (len(train), len(test)) == (20, 10)
    assert test.inputs[0].dtype == np.float32
    assert test.labels.dtype == np.int64
    assert test.labels.tolist() == [index % 4 for index in range(10)]
    assert test.overlap(train) == 0


def test_archive_of_two_parts_asks_which(pairs):
    with pytest.raises(InputError, match="which are the samples is open") as caught:
        load_dataset(str(pairs))

    assert caught.value.hint == "write pairs.npz#test"


@pytest.mark.parametrize(
    ("names", "selector", "chosen"),
    [
        (["x", "y"], "", (["x"], "y")),
        (["images", "labels", "classes"], "", (["images"], "labels")),
        (["wav", "label", "speaker"], "", (["wav"], "label")),
        (["anything"], "", (["anything"], None)),
        (["x_val", "y_val", "x_train"], "val", (["x_val"], "y_val")),
        (["x_test"], "test", (["x_test"], None)),
        (["a", "b", "c"], "x=b,y=c", (["b"], "c")),
        (["a", "b", "c"], "x=a+b,y=c", (["a", "b"], "c")),
        (["a", "b"], "x=a", (["a"], None)),
    ],
)
def test_choice_of_arrays(names, selector, chosen):
    assert choose_arrays(names, selector, "f.npz") == chosen


@pytest.mark.parametrize(
    ("names", "selector"),
    [
        ([], ""),
        (["a", "b"], ""),
        (["x", "images", "y"], ""),
        (["x", "y", "labels"], ""),
        (["x", "y"], "test"),
        (["x", "y"], "x=z"),
        (["x", "y"], "x=x,y=z"),
        (["x", "y"], "y=y"),
        (["x", "y"], "x=x,z=y"),
        (["x", "y"], "x="),
    ],
)
def test_open_or_wrong_choice_is_refused(names, selector):
    with pytest.raises(InputError):
        choose_arrays(names, selector, "f.npz")


def test_misspelt_array_is_suggested(pairs):
    with pytest.raises(InputError) as caught:
        load_dataset(f"{pairs}#x=x_tset")

    assert caught.value.hint == "did you mean 'x_test'?"


def test_class_names_come_along(save_zip):
    path = save_zip(("x", np.eye(2)), ("y", np.arange(2)), ("classes", np.array(["cat", "dog"])))

    assert load_dataset(str(path)).class_names == ("cat", "dog")


def test_several_inputs_keep_their_order(save_zip):
    path = save_zip(("b", np.zeros((2, 3))), ("a", np.ones((2, 4))), ("k", np.arange(2)))

    made = load_dataset(f"{path}#x=a+b,y=k")

    assert [array.shape for array in made.inputs] == [(2, 4), (2, 3)]


@pytest.mark.parametrize("array", [np.arange(6.0).reshape(2, 3), np.arange(6).reshape(2, 3).astype(">i4")])
@pytest.mark.parametrize("order", ["C", "F"])
def test_npy_is_read_in_any_order(tmp_path, array, order):
    path = tmp_path / "x.npy"
    np.save(path, np.asarray(array, order=order))

    made = load_dataset(str(path))

    assert made.inputs[0].tolist() == array.tolist()
    assert made.labels is None


def test_kind_is_found_by_content_and_not_by_name(tmp_path):
    path = tmp_path / "x.npz"
    with path.open("wb") as file:
        np.save(file, np.ones((2, 2)))

    assert len(load_dataset(str(path))) == 2


def test_relative_path_starts_at_the_folder(pairs):
    assert len(load_dataset("pairs.npz#test", folder=pairs.parent)) == 10


class Canary:
    """Unpickling it creates a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return (os.mkdir, (str(self.path),))


@pytest.mark.parametrize("kind", ["npz", "npy"])
def test_pickled_objects_are_refused_and_not_run(tmp_path, save_zip, kind):
    canary = tmp_path / "canary"
    objects = np.array([Canary(canary)], dtype=object)
    path = save_zip(("x", objects)) if kind == "npz" else tmp_path / "x.npy"
    if kind == "npy":
        np.save(path, objects, allow_pickle=True)

    with pytest.raises(VerificationError, match="pickled Python objects") as caught:
        load_dataset(str(path))

    assert caught.value.exit_code == 4
    assert not canary.exists()


def test_two_arrays_of_one_name_are_refused(save_zip):
    with pytest.warns(UserWarning, match="Duplicate name"):
        path = save_zip(("x", np.zeros(3)), ("x", np.ones(3)))

    with pytest.raises(VerificationError, match="two arrays named 'x'"):
        load_dataset(str(path))


def test_zip_bomb_is_refused_before_it_is_unpacked(save_zip):
    path = save_zip(("x", np.zeros((1, 32 * 2**20), np.uint8)), compression=zipfile.ZIP_DEFLATED)

    with pytest.raises(VerificationError, match="unpacks from") as caught:
        load_dataset(str(path))

    assert caught.value.exit_code == 4


def test_constant_labels_are_no_bomb(save_zip):
    path = save_zip(("x", np.arange(30_000)), ("y", np.zeros(30_000, np.int64)), compression=zipfile.ZIP_DEFLATED)

    assert load_dataset(str(path)).classes == 1


def test_header_that_announces_more_than_there_is_allocates_nothing(save_zip):
    lying = npy_header("(1000000000, 4)") + bytes(16)

    with pytest.raises(InputError, match="more than 4 GiB"):
        load_dataset(str(save_zip(("x", lying))))
    with pytest.raises(VerificationError, match="announces 4,000 bytes"):
        load_dataset(str(save_zip(("x", npy_header("(1000, 1)") + bytes(16)))))


@pytest.mark.parametrize(
    "shape", ["(-1, 4)", "(-2, -2)", "(2,", "__import__('os')", "(2.0, 3)", "('a',)", "(True, 4)", "4", "()" * 9]
)
def test_header_that_is_no_header_is_refused(save_zip, shape):
    with pytest.raises(VerificationError):
        load_dataset(str(save_zip(("x", npy_header(shape) + bytes(16)))))


def npy_header(shape: str) -> bytes:
    text = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


@pytest.mark.parametrize(
    "array", [np.array(["a", "b"]), np.zeros(2, "M8[s]"), np.zeros(2, [("a", "i4")]), np.zeros(2, "c8")]
)
def test_samples_that_are_no_numbers_are_refused(save_zip, array):
    with pytest.raises(InputError, match="not numbers"):
        load_dataset(str(save_zip(("x", array))))


@pytest.mark.parametrize("array", [np.zeros((0, 3)), np.float64(1), np.zeros((3, 0))])
def test_no_samples_are_refused(save_zip, array):
    with pytest.raises(InputError, match="has no samples"):
        load_dataset(str(save_zip(("x", array))))


@pytest.mark.parametrize(("content", "words"), [(b"", "0 bytes"), (b"x", "no kind"), (b"a,b\n=cmd()\n", "no kind")])
def test_file_of_another_kind_is_refused(tmp_path, content, words):
    path = tmp_path / "x.npz"
    path.write_bytes(content)

    with pytest.raises(InputError, match=words):
        load_dataset(str(path))


def test_missing_path_fifo_and_dangling_link_are_refused(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to("nowhere")

    for name, words in [("absent", "does not exist"), ("fifo", "not a regular file"), ("link", "dangling link")]:
        with pytest.raises(InputError, match=words):
            load_dataset(name, folder=tmp_path)


@settings(deadline=None, max_examples=150)
@given(data=st.data())
def test_damaged_archive_is_refused_or_read_but_never_crashes(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("fuzz")
    whole = folder / "whole.npz"
    np.savez_compressed(whole, x=np.arange(40, dtype=np.float32).reshape(10, 4), y=np.arange(10))
    content = bytearray(whole.read_bytes())
    if data.draw(st.booleans()):
        content = content[: data.draw(st.integers(0, len(content)))]
    else:
        for _ in range(data.draw(st.integers(1, 3))):
            content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    (folder / "damaged.npz").write_bytes(content)

    with suppress(InputError, VerificationError):
        load_dataset("damaged.npz", folder=folder)


@pytest.mark.shared_data
def test_mnist_is_read_as_it_is_published():
    if not MNIST.is_file():
        pytest.skip("the shared material is not beside the project")

    made = load_dataset(f"{MNIST}#test", limit=500)

    assert made.inputs[0].shape == (500, 28, 28)
    assert np.bincount(made.labels).tolist() == [50] * 10
    assert "nothing scales them" in made.warnings[0]
