"""The recipe of the guide on compression, compiled as it stands there."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.docs.pages import GUIDES, blocks


@pytest.mark.full
def test_recipe_of_the_guide_makes_a_narrower_network_and_then_the_smallest_of_it(
    quickstart: Path, tmp_path: Path
) -> None:
    (recipe,) = [block for block in blocks(GUIDES / "compression.md") if block.title.endswith("smallest_student.toml")]
    (tmp_path / "student.toml").write_text(recipe.text, encoding="utf-8")
    data = ("--train-data", quickstart / "train.npz", "--eval-data", quickstart / "test.npz")
    command = ["compile", quickstart / "quickstart.keras", "-t", "host", "--recipe", "./student.toml", *data, "--json"]

    done = subprocess.run(
        [sys.executable, "-m", "edgekit.cli", *map(str, command)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=600,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    steps = {step["pass"]: step for step in found["steps"]}
    assert list(steps) == ["distill", "slim", "prune", "cluster", "int8", "pack"]
    assert steps["slim"]["macs"] <= 0.7 * steps["distill"]["macs"] < 0.7 * found["reference"]["macs"]
    assert steps["prune"]["sparsity"] == pytest.approx(0.5, abs=0.02)
    assert found["artifact"]["zip_bytes"] < found["reference"]["zip_bytes"] / 6
    assert found["accuracy"]["artifact"]["value"] > 0.85
