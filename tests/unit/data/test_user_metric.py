"""A metric of the user's own: what it is called with, and one clear error for each way in which it fails."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgekit.core.bootstrap import RESAMPLES
from edgekit.core.errors import InputError
from edgekit.data._user_metric import score

MODULE = """
import numpy as np

def furthest(outputs, labels):
    return np.abs(outputs - labels).max()
furthest.lower_is_better = True

def second_output(outputs, labels):
    return float((outputs[1] == labels).mean())

def nothing(outputs, labels):
    return float("nan")

def everything(outputs, labels):
    return outputs

def raises(outputs, labels):
    raise KeyError("x")

def needs_the_first(outputs, labels):
    if 0 not in labels:
        raise ValueError("no first class")
    return 1.0

def writes(outputs, labels):
    outputs[0] = 0
    return 1.0
"""


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("sys.path", ["", *__import__("sys").path])
    (tmp_path / "edgekit_test_metrics.py").write_text(MODULE)
    labels = tmp_path / "labels.npy"
    np.save(labels, np.arange(4))

    def run(name: str, *outputs: np.ndarray):
        paths = []
        for place, array in enumerate(outputs or [np.array([0.0, 1.5, 2, 3], np.float32)]):
            paths.append(str(tmp_path / f"{place}.npy"))
            np.save(paths[-1], array)
        return score(f"edgekit_test_metrics:{name}", str(tmp_path), paths, str(labels))

    yield run
    __import__("sys").modules.pop("edgekit_test_metrics", None)


def test_function_gives_value_resamples_and_direction(call):
    found = call("furthest")

    assert found["value"] == 0.5
    assert found["lower_is_better"] is True
    assert len(found["replicates"]) == RESAMPLES
    assert set(found["replicates"]) == {0.0, 0.5}


def test_several_outputs_come_as_a_tuple(call):
    found = call("second_output", np.zeros(4, np.float32), np.arange(4, dtype=np.float32))

    assert found["value"] == 1.0
    assert found["lower_is_better"] is False


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("nothing", "returned nan"),
        ("everything", "returned ndarray, not one number"),
        ("raises", "raised KeyError"),
        ("missing", "cannot be imported"),
        ("writes", "read-only"),
        ("needs_the_first", "raised ValueError on resample"),
    ],
)
def test_function_that_fails_is_one_clear_error(call, name, words):
    with pytest.raises(InputError, match=words) as refused:
        call(name)

    assert refused.value.hint
