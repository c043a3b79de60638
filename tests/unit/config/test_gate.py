"""The table [gate] of edgekit.toml: one file for many targets, and every mistake with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.config.project import load_project
from edgekit.core.errors import ConfigurationError
from edgekit.core.gate import Allowances
from edgekit.core.target import Budgets
from tests.unit.docs.pages import GUIDES, blocks

FILE = """
schema = 1
[budgets]
flash = "64KiB"
[gate]
baseline = "main"
fail_on = ["regression", "budget"]
[gate.allow]
flash = "5%"
latency = 0.1
[gate.targets.rpi4.budgets]
latency_p90 = "20ms"
[gate.targets.rpi5.budgets]
flash = "32KiB"
latency_p90 = "10ms"
[gate.targets.rpi5.allow]
latency = "4%"
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "edgekit.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_one_file_holds_limits_and_allowances_of_many_targets(tmp_path: Path) -> None:
    project = load_project(written(tmp_path, FILE))

    gate = project.gate
    assert (gate.baseline, gate.fail_on) == ("main", ("regression", "budget"))
    assert gate.budgets("rpi4", project.budgets) == Budgets(flash_bytes=65536, latency_p90_ns=20_000_000)
    assert gate.budgets("rpi5", project.budgets) == Budgets(flash_bytes=32768, latency_p90_ns=10_000_000)
    assert gate.budgets("host", project.budgets) == Budgets(flash_bytes=65536)
    assert gate.allowances("rpi4") == Allowances(flash=0.05, latency=0.1)
    assert gate.allowances("rpi5") == Allowances(flash=0.05, latency=0.04)


def test_project_without_a_gate_has_the_defaults(tmp_path: Path) -> None:
    gate = load_project(written(tmp_path, "schema = 1\n")).gate

    assert gate.baseline is None
    assert gate.allowances("rpi4") == Allowances()


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (
            'fail_on = ["regresion"]',
            "gate.fail_on: there is no rule 'regresion' to fail on; did you mean 'regression'?",
        ),
        ('baseline = "../main"', "gate.baseline: String should match pattern"),
        ("allow = { latecny = 0.1 }", "unknown key, did you mean 'latency'?"),
        ('allow = { flash = "-1%" }', "gate.allow.flash"),
        ("allow = { flash = 2 }", "gate.allow.flash"),
        ('targets = { rpi4 = { budgets = { flash = "5 parsecs" } } }', "gate.targets.rpi4.budgets.flash"),
    ],
)
def test_mistake_is_named_with_its_line_and_key(tmp_path: Path, line: str, says: str) -> None:
    path = written(tmp_path, f"schema = 1\n[gate]\n{line}\n")

    with pytest.raises(ConfigurationError) as raised:
        load_project(path)

    assert f"{path}:3: " in raised.value.message
    assert says in raised.value.message


def test_file_of_the_guide_is_read_and_shows_the_defaults(tmp_path: Path) -> None:
    (block,) = [block for block in blocks(GUIDES / "gates.md") if block.title == "gate.toml"]

    gate = load_project(written(tmp_path, block.text)).gate

    assert gate.allowances("rpi4") == Allowances()
    assert gate.allowances("android_arm64") == Allowances(latency=0.05)
