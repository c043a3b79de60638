"""A chain that loses too much before it is quantized: the step is named, no layer is tried in float."""

from __future__ import annotations

import pytest

from edgekit.config.recipes import load_recipe
from edgekit.config.targets import load_target
from edgekit.core.errors import GateFailedError
from edgekit.flows.compile import compile_model
from edgekit.flows.request import CompileRequest
from tests.models.digits_models import digits, digits_model

__all__ = ["digits_model"]

RECIPE = """
summary = "A student that had no time to learn."
when = "Never."
[[steps]]
pass = "distill"
params = { student = "student.h5", epochs = 1, learning_rate = 1e-6 }
[[steps]]
pass = "int8"
"""


def test_step_that_loses_too_much_in_float_is_named(digits_model, tmp_path, monkeypatch):
    (tmp_path / "narrow.toml").write_text(RECIPE.replace('student = "student.h5"', "width = 0.25"))
    monkeypatch.chdir(tmp_path)
    data = digits()

    with pytest.raises(GateFailedError) as refused:
        compile_model(
            CompileRequest(
                model=digits_model.path,
                target=load_target("host"),
                recipe=load_recipe(tmp_path / "narrow.toml"),
                training=data.take(range(400)),
                evaluation=data.take(range(400, 1200)),
                max_drop=0.01,
            )
        )

    assert "after step 'distill', still in float" in str(refused.value)
    assert len(refused.value.details["trials"]) == 1
    assert not list(tmp_path.glob("*.edgekit"))


def test_path_in_a_recipe_is_relative_to_its_file(digits_model, tmp_path, monkeypatch):
    folder = tmp_path / "recipes"
    folder.mkdir()
    (folder / "student.h5").write_bytes(digits_model.path.read_bytes())
    (folder / "rushed.toml").write_text(RECIPE)
    monkeypatch.chdir(tmp_path)

    made = compile_model(
        CompileRequest(
            model=digits_model.path,
            target=load_target("host"),
            recipe=load_recipe(folder / "rushed.toml"),
            training=digits().take(range(200)),
        )
    )

    assert made.steps[0].params["models"] == [digits_model.digest]
