"""Every target that edgekit brings along: complete, sourced, and known to no code."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from edgekit.config.recipes import list_recipes
from edgekit.config.targets import list_targets, load_target
from edgekit.core.firmware import MACHINES
from edgekit.core.units import parse_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edgekit.core.target import Target

ROOT = Path(__file__).resolve().parents[2]
NAMES = sorted(path.stem for path in (ROOT / "targets").glob("*.toml"))
SIZES = {"ram", "flash", "disk", "size"}
PLAIN_WORDS = {"host"}  # also an English word, which code may use


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def target(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Target:
    monkeypatch.setenv("EDGEKIT_CONFIG_DIR", str(tmp_path))
    return load_target(name)


def raw(name: str) -> dict[str, Any]:
    return tomllib.loads((ROOT / "targets" / f"{name}.toml").read_text(encoding="utf-8"))


def facts(table: dict[str, Any], prefix: str = "") -> Iterator[str]:
    """Dotted keys of everything that is a number, with or without a unit."""
    for key, value in table.items():
        dotted = f"{prefix}{key}"
        if isinstance(value, dict):
            yield from facts(value, f"{dotted}.")
        elif isinstance(value, int | float) or key in SIZES:
            yield dotted


def has_key(table: Any, dotted: str) -> bool:
    for part in dotted.split("."):
        if not isinstance(table, dict) or part not in table:
            return False
        table = table[part]
    return True


def test_all_files_are_listed(tmp_path, monkeypatch):
    monkeypatch.setenv("EDGEKIT_CONFIG_DIR", str(tmp_path))

    assert list_targets() == NAMES
    assert len(NAMES) >= 6


def test_each_number_has_a_source(name):
    content = raw(name)
    sources = content.pop("sources", {})
    content.pop("schema", None)

    assert set(facts(content)) - set(sources) == set()


def test_each_source_belongs_to_a_key(name):
    content = raw(name)

    assert [key for key in content.get("sources", {}) if not has_key(content, key)] == []


def test_sources_say_something(target):
    assert [key for key, source in target.sources.items() if len(source.split()) < 2] == []


def test_recipe_exists(target):
    assert target.recipe in list_recipes()


def test_some_runtime_loads_what_the_recipes_make(target):
    runtime = target.runtime_for("tflite") or target.compiler_for("tflite")

    assert runtime is not None
    assert ({"int8"} if runtime.compiles else {"float32", "int8"}) <= runtime.dtypes


def test_board_is_within_its_machine_as_far_as_models_go(target):
    board = target.board
    if board is None or board.machine is None:
        pytest.skip("this target is not emulated as a board")

    assert board.machine in MACHINES
    assert board.flash.size_bytes == target.flash_bytes
    assert board.ram.size_bytes == target.ram_bytes
    assert MACHINES[board.machine].cpu in {board.core, "cortex-m3"}  # which runs the code of the Cortex-M0+ too


def test_emulated_machine_is_no_larger_than_the_target(target):
    machine = target.emulator
    if machine is None:
        pytest.skip("this target is not emulated")

    assert machine.cpu == target.cpu
    assert machine.cores <= target.cores
    assert target.ram_bytes is None or machine.ram_bytes <= target.ram_bytes
    assert machine.disk_bytes >= parse_bytes("256MiB")


def test_file_points_editors_at_the_schema(name):
    first_line = (ROOT / "targets" / f"{name}.toml").read_text(encoding="utf-8").partition("\n")[0]

    assert first_line == "#:schema schema.json"


def test_no_code_knows_a_target_by_name():
    known = re.compile(rf"\b({'|'.join(sorted(set(NAMES) - PLAIN_WORDS, key=len, reverse=True))})\b")
    found = []
    for path in sorted([*(ROOT / "edgekit").rglob("*.py"), *(ROOT / "device_agents").rglob("*.py")]):
        found += [f"{path}: {text!r}" for text in texts_of_code(path) if known.search(text)]

    assert found == []


def texts_of_code(path: Path) -> Iterator[str]:
    """String constants of a module, without its docstrings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    docstrings = {
        id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.value


def test_schemas_are_up_to_date():
    command = [sys.executable, str(ROOT / "scripts/gen_schemas"), "--check"]

    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert result.returncode == 0, result.stdout + result.stderr


def test_schema_refuses_unknown_keys():
    schema = json.loads((ROOT / "targets/schema.json").read_text(encoding="utf-8"))

    assert schema["additionalProperties"] is False
    assert all(part["additionalProperties"] is False for part in schema["$defs"].values())
