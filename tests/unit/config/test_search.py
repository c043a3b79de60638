"""The table `[search]`: what it means, and that nonsense is told with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.config.project import load_project
from edgekit.config.search import load_search
from edgekit.core.errors import ConfigurationError
from edgekit.core.search.goals import Goal, Limit
from edgekit.core.search.space import Choice, Integer, Real, When

GOOD = """
schema = 1
strategy = "nsga2"
goals = ["accuracy", "instructions"]
at_most = { ram_bytes = 65536, accuracy_drop = 0.01 }
at_least = { accuracy = 0.9 }

[parameters]
quantize = ["int8", "int16x8"]
"prune.sparsity" = ["off", 0.5, 0.8]
"slim.ratio" = { low = 0.1, high = 0.6 }
"cluster.clusters" = { low = 8, high = 32, step = 8, when = { "prune.sparsity" = [0.5, 0.8] } }
"int8.calibration" = { values = ["min_max", "kl"], when = { quantize = ["int8"] } }
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "space.toml"
    path.write_text(text)
    return path


def test_file_gives_the_space_the_goals_and_the_limits(tmp_path: Path):
    found = load_search(written(tmp_path, GOOD))

    assert found.parameters == (
        Choice(name="quantize", values=("int8", "int16x8")),
        Choice(name="prune.sparsity", values=("off", 0.5, 0.8)),
        Real(name="slim.ratio", low=0.1, high=0.6),
        Integer(
            name="cluster.clusters", low=8, high=32, step=8, when=(When(name="prune.sparsity", values=(0.5, 0.8)),)
        ),
        Choice(name="int8.calibration", values=("min_max", "kl"), when=(When(name="quantize", values=("int8",)),)),
    )
    assert found.goals == (Goal(metric="accuracy"), Goal(metric="instructions"))
    assert found.limits == (
        Limit(metric="ram_bytes", most=65536.0, source="at_most"),
        Limit(metric="accuracy_drop", most=0.01, source="at_most"),
        Limit(metric="accuracy", most=0.9, source="at_least"),
    )
    assert found.strategy == "nsga2"


def test_project_holds_the_same(tmp_path: Path):
    path = tmp_path / "edgekit.toml"
    path.write_text(GOOD.replace("schema = 1", "schema = 1\n[search]").replace("[parameters]", "[search.parameters]"))

    assert load_project(path).search == load_search(written(tmp_path, GOOD))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('goals = ["speed"]', "no metric 'speed'"),
        ("at_most = { accuracy = 1 }", "at_least does"),
        ("at_least = { ram_bytes = 1 }", "at_most does"),
        ('architecture = "nets"', "no function"),
        ("[parameters]\nquantize = []", "quantize"),
        ('[parameters]\nquantize = ["int8", "int8"]', "all differ"),
        ('[parameters."slim.ratio"]\nlow = 0.5', "either values, or low and high"),
        ('[parameters."slim.ratio"]\nlow = 0.5\nhigh = 0.1', "holds nothing"),
        ('[parameters."slim.ratio"]\nlow = 0.5\nhigh = 0.9\nstep = 2', "step between real numbers"),
        ('[parameters."int8.io"]\nvalues = ["int8"]\nwhen = { quantize = ["int8"] }', "not declared before"),
        ("trials = 3", "trials"),
    ],
)
def test_nonsense_is_refused_with_the_file(tmp_path: Path, text: str, said: str):
    path = written(tmp_path, f"schema = 1\n{text}\n")

    with pytest.raises(ConfigurationError) as error:
        load_search(path)
    assert said in error.value.message
    assert "space.toml" in error.value.message
