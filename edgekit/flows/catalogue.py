"""Targets and recipes as documents."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from edgekit.config.recipes import list_recipes, load_recipe
from edgekit.core.target import Target


def target_document(target: Target) -> dict[str, Any]:
    """A target as JSON: sets become sorted lists."""
    document = asdict(target)
    document["runtimes"] = {
        name: {
            "formats": sorted(runtime.formats),
            "dtypes": sorted(runtime.dtypes),
            "delegates": list(runtime.delegates),
            "unsupported_ops": sorted(runtime.unsupported_ops),
            "max_op_versions": dict(runtime.max_op_versions),
        }
        for name, runtime in target.runtimes.items()
    }
    return document


def recipe_document(name: str, project_dir: Path | None) -> dict[str, Any]:
    """A recipe as JSON."""
    recipe = load_recipe(name, project_dir=project_dir)
    steps = [
        {"pass": step.pass_name, "params": dict(step.params)}
        | ({"choices": {key: list(values) for key, values in step.choices.items()}} if step.choices else {})
        for step in recipe.steps
    ]
    return {"name": recipe.name, "summary": recipe.summary, "when": recipe.when, "steps": steps}


def recipe_documents(project_dir: Path | None) -> list[dict[str, Any]]:
    """All recipes as JSON."""
    return [recipe_document(name, project_dir) for name in list_recipes(project_dir=project_dir)]
