"""PyTorch models by the command line on this computer: what they become for each kind of target, and bad ones."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest

from tests.models.command import edgekit

EXAMPLE = Path(__file__).parents[2] / "examples" / "pytorch"

BRANCHING = """\
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.scores = nn.Linear(64, 10)

    def forward(self, x):
        y = self.scores(x.flatten(1))
        if y.sum() > 0:
            return y
        return -y

def make():
    return Net()
"""


@pytest.fixture(autouse=True)
def _warm(warm_child: None) -> None:
    """The child that reads files is lent."""


def arguments(folder: Path, output: Path) -> tuple[Any, ...]:
    return (
        "--weights", folder / "digits.safetensors", "--calibration-data", folder / "train.npz",
        "--eval-data", folder / "test.npz", "--output", output / "digits.edgekit",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("target", "recipe", "steps", "runtime"),
    [
        ("android_arm64", None, ["qnnpack_static"], "torch_mobile"),
        ("android_arm64", "executorch_xnnpack", ["executorch_xnnpack"], "executorch"),
        ("rpi4", None, ["litert_torch", "int8"], "litert"),
    ],
)
def test_target_decides_what_becomes_of_a_pytorch_model(
    torch_quickstart: Path, tmp_path: Path, target: str, recipe: str | None, steps: list[str], runtime: str
) -> None:
    named = () if recipe is None else ("--recipe", recipe)

    document = edgekit(
        "compile", "digits:make", "--target", target, *named, *arguments(torch_quickstart, tmp_path), cwd=EXAMPLE
    )

    assert [step["pass"] for step in document["steps"]] == steps
    assert document["runtime"] == runtime
    accuracy = document["accuracy"]
    assert accuracy["float"]["n"] == accuracy["artifact"]["n"] == 540
    assert accuracy["float"]["value"] > 0.97
    assert accuracy["artifact"]["value"] >= accuracy["float"]["value"] - 0.005
    assert document["artifact"]["size_bytes"] < 0.75 * document["reference"]["size_bytes"]


class _Canary:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.path,))


def test_weights_with_code_in_them_are_refused_and_nothing_of_it_runs(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    (tmp_path / "weights.pt").write_bytes(pickle.dumps({"scores.weight": _Canary(canary)}, protocol=2))

    error = edgekit(
        "inspect", "digits:make", "--weights", tmp_path / "weights.pt", "--input-shape", "1,1,8,8", cwd=EXAMPLE, fails=4
    )["error"]

    assert "could run any code" in error["message"]
    assert not canary.exists()


def test_weights_of_another_model_are_refused_by_name(tmp_path: Path, torch_quickstart: Path) -> None:
    (tmp_path / "other.py").write_text(BRANCHING, encoding="utf-8")

    error = edgekit(
        "inspect", "other:make", "--weights", torch_quickstart / "digits.safetensors", "--input-shape", "1,1,8,8",
        cwd=tmp_path, fails=3,
    )["error"]  # fmt: skip

    assert "missing scores.bias, scores.weight" in error["message"]


def test_branch_on_data_is_refused_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "branching.py").write_text(BRANCHING, encoding="utf-8")

    error = edgekit("inspect", "branching:make", "--input-shape", "1,1,8,8", cwd=tmp_path, fails=14)["error"]

    assert "branching.py" in error["message"]
    assert "line 10" in error["message"]


def test_sizes_that_the_model_does_not_take_are_refused_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "sizes.py").write_text(BRANCHING, encoding="utf-8")

    error = edgekit("inspect", "sizes:make", "--input-shape", "1,1,9,9", cwd=tmp_path, fails=14)["error"]

    assert "1x9x9" in error["message"]
    assert "sizes.py, line 9" in error["message"]


def test_factory_without_data_or_shape_is_a_usage_error(tmp_path: Path) -> None:
    error = edgekit("inspect", "digits:make", cwd=EXAMPLE, fails=2)["error"]

    assert "--input-shape" in error["hint"]


def test_weights_of_a_file_are_a_usage_error(tmp_path: Path) -> None:
    error = edgekit("inspect", "model.tflite", "--weights", "w.safetensors", cwd=tmp_path, fails=2)["error"]

    assert "--weights goes with a PyTorch model" in error["message"]
