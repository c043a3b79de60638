"""What is done to a model, one TOML file each: `recipes/<name>.toml`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from edgekit.config._fields import File, Section, Text, Word
from edgekit.config._shelf import Shelf
from edgekit.config._toml import read_toml, validate
from edgekit.core.recipe import Recipe, Step

_SHELF = Shelf(kind="recipe", subfolder="recipes", built_in=(Path(__file__).parents[1] / "recipes",))


class StepSection(Section):
    """One pass with its parameters."""

    pass_name: Word = Field(alias="pass", description="name of the pass")
    params: dict[Word, Any] = Field(default={}, description="what the pass takes; it checks them itself")
    choices: dict[Word, Annotated[list[Any], Field(min_length=1, max_length=32)]] = Field(
        default={},
        description="parameters with the values to try under --max-drop, the most aggressive first; several "
        "parameters change together. Without --max-drop the first values count",
    )

    @model_validator(mode="after")
    def _choices_go_together(self) -> Self:
        if twice := sorted(self.params.keys() & self.choices.keys()):
            raise ValueError(f"{twice[0]} is in params and in choices; leave one of them out")
        if len({len(values) for values in self.choices.values()}) > 1:
            raise ValueError("the lists under choices differ in length, and their values are taken together")
        return self


class RecipeFile(File):
    """A named list of passes."""

    summary: Text = Field(description="one sentence on what it does")
    when: Text = Field(description="one sentence on when to use it")
    steps: tuple[StepSection, ...] = Field(description="the passes, in order; none for a model that is as it should be")


def load_recipe(name_or_path: str | Path, *, project_dir: Path | None = None) -> Recipe:
    """Read a recipe.

    Args:
        name_or_path: a name, looked up in `recipes/` of the project, then of the user's folder, then of edgekit;
            or the path of a file.
        project_dir: the project's folder, None for none.

    Raises:
        ConfigurationError: there is no such recipe, or its file is wrong.
        InputError: the path is not a readable file.
    """
    path = _SHELF.find(name_or_path, project_dir)
    file = validate(RecipeFile, read_toml(path, what="recipe"))
    return Recipe(
        name=path.stem,
        summary=file.summary,
        when=file.when,
        folder=path.parent,
        steps=tuple(
            Step(
                pass_name=step.pass_name,
                params=step.params,
                choices={name: tuple(values) for name, values in step.choices.items()},
            )
            for step in file.steps
        ),
    )


def list_recipes(*, project_dir: Path | None = None) -> list[str]:
    """Names of all recipes, sorted; reads no file."""
    return list(_SHELF.files(project_dir))
