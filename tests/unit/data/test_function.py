"""The user's own function: its arrays arrive, its mistakes are told, its process is not ours."""

from __future__ import annotations

import pytest

from edgekit.core.errors import InputError
from edgekit.data import load_dataset

MODULE = """
import os
import numpy as np

print("noise on stdout")

def labelled():
    return np.arange(12.0).reshape(6, 2), [0, 1, 2, 0, 1, 2]

def bare():
    return [[1, 2], [3, 4]]

def two_inputs():
    return (np.zeros((3, 2)), np.ones((3, 4))), np.arange(3)

def raises():
    raise KeyError("lost")

def objects():
    return np.array([object()], dtype=object)

def ragged():
    return [[1], [2, 3]]

def dies():
    os._exit(7)

def none():
    return None
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "edgekit_test_samples.py").write_text(MODULE)
    return tmp_path


def load(name, folder):
    return load_dataset(f"edgekit_test_samples:{name}", folder=folder)


def test_samples_and_labels_arrive_and_stdout_stays_clean(folder, capfd):
    made = load("labelled", folder)

    assert made.inputs[0].tolist() == [[0, 1], [2, 3], [4, 5], [6, 7], [8, 9], [10, 11]]
    assert made.labels.tolist() == [0, 1, 2, 0, 1, 2]
    assert made.name == "edgekit_test_samples:labelled"
    assert capfd.readouterr() == ("", "")


def test_lists_and_several_inputs_are_taken(folder):
    assert load("bare", folder).labels is None
    assert [array.shape for array in load("two_inputs", folder).inputs] == [(3, 2), (3, 4)]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("raises", "raised KeyError: 'lost'"),
        ("absent", "raised AttributeError"),
        ("objects", "not an array of numbers"),
        ("none", "returned NoneType"),
        ("ragged", "different shapes"),
        ("dies", "ended with exit code 7"),
    ],
)
def test_mistake_in_the_function_is_told(folder, name, words):
    with pytest.raises(InputError, match=words) as caught:
        load(name, folder)

    assert caught.value.exit_code == 3


def test_module_that_is_not_there_is_told(folder):
    with pytest.raises(InputError, match="No module named 'no_such_module'"):
        load_dataset("no_such_module:f", folder=folder)
