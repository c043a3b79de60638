"""Every recipe that edgekit brings along: it loads, explains itself, and names passes that exist."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from edgekit.config.recipes import list_recipes, load_recipe
from edgekit.core.registry import PASSES

if TYPE_CHECKING:
    from edgekit.core.recipe import Recipe

FOLDER = Path(__file__).resolve().parents[2] / "edgekit" / "recipes"
NAMES = sorted(path.stem for path in FOLDER.glob("*.toml"))


@pytest.fixture(params=NAMES)
def recipe(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recipe:
    monkeypatch.setenv("EDGEKIT_CONFIG_DIR", str(tmp_path))
    return load_recipe(request.param)


def test_all_files_are_listed(tmp_path, monkeypatch):
    monkeypatch.setenv("EDGEKIT_CONFIG_DIR", str(tmp_path))

    assert list_recipes() == NAMES
    assert {"float32", "dynamic", "float16", "int8", "int8_float_io", "uint8", "int16x8"} <= set(NAMES)


def test_summary_and_when_are_sentences(recipe):
    assert all(text.endswith(".") and "\n" not in text and len(text) < 120 for text in (recipe.summary, recipe.when))


def test_each_pass_exists(recipe):
    assert {step.pass_name for step in recipe.steps} <= set(PASSES.names())


def test_file_points_editors_at_the_schema(recipe):
    first_line = (FOLDER / f"{recipe.name}.toml").read_text(encoding="utf-8").partition("\n")[0]

    assert first_line == "#:schema ../config/schemas/recipe.json"
    assert (FOLDER / first_line.removeprefix("#:schema ")).is_file()


def test_no_two_recipes_do_the_same():
    steps = {name: repr(load_recipe(name).steps) for name in NAMES}

    assert len(set(steps.values())) == len(steps)
