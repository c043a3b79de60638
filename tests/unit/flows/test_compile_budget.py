"""`edgekit compile` with an accuracy budget, training data and layers to keep: what is chosen, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.models.command import edgekit

CHOOSING = """
summary = "Prunes as far as the budget allows, then makes int8."
when = "In a test."
[[steps]]
pass = "prune"
choices = { sparsity = [0.95, 0.3] }
params = { epochs = 1, validation_split = 0.0 }
[[steps]]
pass = "int8"
"""
RUINING = """
summary = "Prunes nearly everything at once."
when = "In a test."
[[steps]]
pass = "prune"
params = { sparsity = 0.98, epochs = 1, validation_split = 0.0, learning_rate = 1e-6 }
[[steps]]
pass = "float16"
"""


@pytest.fixture
def flags(quickstart: Path) -> tuple[object, ...]:
    """Model, target, training and evaluation data."""
    return (quickstart / "quickstart.keras", "-t", "host", "--train-data", quickstart / "train.npz")


def test_choices_are_made_within_the_budget_and_each_step_is_accounted_for(
    quickstart: Path, flags: tuple[object, ...], tmp_path: Path
) -> None:
    (tmp_path / "mine.toml").write_text(CHOOSING)
    evaluation = ("--eval-data", quickstart / "test.npz")

    found = edgekit("compile", *flags, *evaluation, "--recipe", "./mine.toml", "--max-drop", 0.03, cwd=tmp_path)
    page = edgekit("report", "--html", tmp_path / "page.html", cwd=tmp_path)

    assert found["budget"]["settings"] == {"prune.sparsity": 0.3}
    assert {
        trial["settings"]["prune" if "prune" in trial["settings"] else "prune.sparsity"] for trial in found["trials"]
    } == {
        "left out",
        0.95,
        0.3,
    }
    prune, int8 = found["steps"]
    assert prune["sparsity"] == pytest.approx(0.3, abs=0.01)
    assert prune["accuracy"]["n"] == int8["accuracy"]["n"] == 540
    assert prune["gain"].startswith("transfer")
    assert int8["size_bytes"] < prune["size_bytes"] < prune["file_bytes"]
    assert {"zip_bytes", "gzip_bytes", "unique_weights", "macs", "activation_bytes", "notes"} <= int8.keys()
    (verdict,) = found["verdicts"]
    assert verdict["outcome"] == "pass"
    assert "at most" in verdict["reason"]
    assert page["schema"] == "edgekit.compile/1"
    assert "Accuracy against the bytes" in (tmp_path / "page.html").read_text()


def test_budget_that_cannot_be_met_ends_with_1_and_writes_nothing(
    quickstart: Path, flags: tuple[object, ...], tmp_path: Path
) -> None:
    recipe = tmp_path / "ruin.toml"
    recipe.write_text(RUINING)

    error = edgekit(
        "compile", *flags, "--eval-data", quickstart / "test.npz", "--recipe", recipe, "--max-drop", 0.01,
        cwd=tmp_path, fails=1,
    )["error"]  # fmt: skip

    assert error["code"] == "E_GATE"
    assert "the best that was reached loses" in error["message"]
    assert list(tmp_path.iterdir()) == [recipe]


def test_kept_layers_stay_float(quickstart: Path, flags: tuple[object, ...], tmp_path: Path) -> None:
    document = edgekit("compile", *flags, "--keep-float", "dense", "--recipe", "int8", cwd=tmp_path)

    (step,) = document["steps"]
    assert step["params"]["keep_float"] == ["dense"]
    assert step["size_bytes"] > 20_000


@pytest.mark.parametrize(
    ("more", "code", "word"),
    [
        (("--max-drop", 0.01), 2, "--eval-data"),
        (("--max-drop", 1.5), 2, "max-drop"),
        (("--keep-float", "dense", "--recipe", "float32"), 2, "--keep-float"),
        (("--keep-float", "no_such_layer", "--recipe", "int8"), 3, "no_such_layer"),
        (("--recipe", "slim_int8", "--train-data", "missing.npz"), 3, "missing.npz"),
    ],
)
def test_what_does_not_go_together_is_refused(
    flags: tuple[object, ...], tmp_path: Path, more: tuple[object, ...], code: int, word: str
) -> None:
    error = edgekit("compile", *flags, *more, cwd=tmp_path, fails=code)["error"]

    assert word in f"{error['message']} {error['hint']}"
    assert list(tmp_path.iterdir()) == []


def test_recipe_that_trains_asks_for_training_data(quickstart: Path, tmp_path: Path) -> None:
    model = quickstart / "quickstart.keras"

    error = edgekit("compile", model, "-t", "host", "--recipe", "smallest", cwd=tmp_path, fails=3)["error"]

    assert "--train-data" in error["hint"]


def test_budget_needs_labels(quickstart: Path, flags: tuple[object, ...], tmp_path: Path) -> None:
    data = tmp_path / "unlabelled.npz"
    np.savez(data, x=np.load(quickstart / "test.npz")["x"])

    error = edgekit("compile", *flags, "--eval-data", data, "--max-drop", 0.01, cwd=tmp_path, fails=3)["error"]

    assert "needs labels" in error["message"]
    assert list(tmp_path.iterdir()) == [data]
