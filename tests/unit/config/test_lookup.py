"""Where targets and recipes are found, and what a wrong one says."""

from __future__ import annotations

import pytest

from edgekit.config.recipes import list_recipes, load_recipe
from edgekit.config.targets import list_targets, load_target
from edgekit.core.errors import ConfigurationError, InputError

TARGET = """
title = "{title}"
arch = "aarch64"
cpu = "cortex-a53"
cores = 4
recipe = "int8"
[runtimes.litert]
formats = ["tflite"]
dtypes = ["float32"]
"""
RECIPE = 'summary = "s"\nwhen = "w"\n[[steps]]\npass = "first"\nparams = { io = "int8" }\n[[steps]]\npass = "second"\n'


def put(folder, name, text):
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.toml"
    path.write_text(text)
    return path


def test_project_hides_user_hides_built_in(project, user_folder):
    name = list_targets()[0]
    put(user_folder / "targets", name, TARGET.format(title="user"))
    assert load_target(name).title == "user"

    put(project / "targets", name, TARGET.format(title="project"))

    assert load_target(name, project_dir=project).title == "project"
    assert load_target(name).title == "user"


def test_own_targets_are_listed_with_the_built_in_ones(project):
    built_in = list_targets()
    put(project / "targets", "zz_mine", TARGET.format(title="mine"))

    assert list_targets(project_dir=project) == [*built_in, "zz_mine"]


def test_path_is_read_directly(tmp_path):
    path = put(tmp_path, "mine", TARGET.format(title="mine"))

    assert load_target(path).name == "mine"
    assert load_target(str(path)).title == "mine"


def test_unknown_name_suggests_and_lists():
    name = list_targets()[0]

    with pytest.raises(ConfigurationError, match=f"known: .*{name}") as caught:
        load_target(name + "x")

    assert caught.value.hint == f"did you mean {name!r}?"
    assert caught.value.exit_code == 3


@pytest.mark.parametrize("name", ["", "..", "a" * 300, "\N{SNAKE}", "-oProxyCommand=x", "a\x00b"])
def test_name_that_is_none_is_unknown(name):
    with pytest.raises(ConfigurationError, match="there is no target"):
        load_target(name)


def test_path_that_does_not_exist_is_an_input_error():
    with pytest.raises(InputError, match="does not exist"):
        load_target("nowhere/board.toml")


@pytest.mark.parametrize("stem", ["Upper", "with space", "a" * 65, ".hidden", "dash-ed"])
def test_file_whose_name_is_no_name_is_refused(tmp_path, stem):
    path = put(tmp_path, stem, TARGET.format(title="t"))

    with pytest.raises(ConfigurationError, match="is no name for a target"):
        load_target(path)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("cores = 4\n", "", "the file: cores is missing"),
        ("cores = 4", "cores = true", ":5: cores: "),
        ('title = "t"\n', "", ":1: title: is missing"),
        ('"float32"', '"flaot32"', ":9: runtimes.litert.dtypes[0]: "),
        ("dtypes =", "dtype =", "runtimes.litert.dtype: unknown key, did you mean 'dtypes'?"),
        ("[runtimes.litert]", "ram = '1 parsec'\n[runtimes.litert]", ":7: ram: '1 parsec' is not a size"),
    ],
)
def test_wrong_target_is_refused_with_its_line(tmp_path, old, new, message):
    text = TARGET.format(title="t")
    assert old in text
    path = put(tmp_path, "t", text.replace(old, new))

    with pytest.raises(ConfigurationError) as caught:
        load_target(path)

    assert message in caught.value.message


def test_cores_are_counted_on_this_machine(tmp_path):
    text = TARGET.format(title="t").replace("cores = 4\n", "").replace("aarch64", "any")

    assert load_target(put(tmp_path, "t", text)).cores >= 1


def test_recipe_keeps_the_order_and_parameters_of_its_steps(project):
    put(project / "recipes", "mine", RECIPE)

    recipe = load_recipe("mine", project_dir=project)

    assert [(step.pass_name, dict(step.params)) for step in recipe.steps] == [("first", {"io": "int8"}), ("second", {})]
    assert "mine" in list_recipes(project_dir=project)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('pass = "second"', 'pas = "second"', ":6: steps[1].pass: is missing"),
        ('pass = "second"', 'pas = "second"', ":7: steps[1].pas: unknown key, did you mean 'pass'?"),
        ("when", "wenn", ":2: wenn: unknown key, did you mean 'when'?"),
    ],
)
def test_wrong_recipe_is_refused_with_its_line(project, old, new, message):
    put(project / "recipes", "mine", RECIPE.replace(old, new))

    with pytest.raises(ConfigurationError) as caught:
        load_recipe("mine", project_dir=project)

    assert message in caught.value.message


def test_recipe_that_names_no_steps_at_all_is_refused(project):
    put(project / "recipes", "mine", 'summary = "s"\nwhen = "w"\n')

    with pytest.raises(ConfigurationError, match="steps: is missing"):
        load_recipe("mine", project_dir=project)
