"""From points to recipes."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.config.recipes import load_recipe
from edgekit.core.errors import ConfigurationError
from edgekit.core.recipe import Recipe, Step
from edgekit.core.search.space import Choice, Integer, Real
from edgekit.flows.searching.recipe_space import check_names, recipe_of, short_layer

SPACE = (
    Choice(name="prune.sparsity", values=("off", 0.5)),
    Choice(name="cluster.clusters", values=("off", 16)),
    Choice(name="quantize", values=("int8", "float16", "none")),
    Choice(name="int8.calibration", values=("min_max", "kl")),
    Choice(name="cortex_m.optimize", values=("speed", "ram")),
)


def steps(point: dict, base: Recipe | None = None, space: tuple = SPACE) -> list[tuple[str, dict]]:
    return [(step.pass_name, dict(step.params)) for step in recipe_of(point, space, base).steps]


def test_steps_stand_in_the_order_of_the_space_and_off_leaves_one_out():
    point = {"prune.sparsity": 0.5, "cluster.clusters": 16, "quantize": "int8", "int8.calibration": "kl"}

    assert steps(point) == [
        ("prune", {"sparsity": 0.5}), ("cluster", {"clusters": 16}), ("int8", {"calibration": "kl"})
    ]  # fmt: skip
    assert steps({**point, "prune.sparsity": "off"}) == steps(point)[1:]
    assert steps({"quantize": "float16", "cortex_m.optimize": "ram"}) == [
        ("float16", {}), ("cortex_m", {"optimize": "ram"})
    ]  # fmt: skip
    assert steps({"quantize": "none"}) == []


def test_what_compiles_for_a_board_is_the_last_step_wherever_it_is_named():
    space = (SPACE[4], *SPACE[:4])

    assert steps({"cortex_m.optimize": "ram", "prune.sparsity": 0.5, "quantize": "int8"}, space=space) == [
        ("prune", {"sparsity": 0.5}), ("int8", {}), ("cortex_m", {"optimize": "ram"})
    ]  # fmt: skip


def test_parameter_of_a_pass_that_quantize_does_not_take_does_not_count():
    assert steps({"quantize": "float16", "int8.calibration": "kl"}) == [("float16", {})]
    assert steps({"quantize": "none", "int8.calibration": "kl"}) == []
    assert steps({"int8.calibration": "kl"}, space=(SPACE[3],)) == [("int8", {"calibration": "kl"})]


def test_order_is_a_parameter_too():
    point = {"prune.sparsity": 0.5, "cluster.clusters": 16, "quantize": "int8", "order": "cluster>prune"}

    assert [name for name, _ in steps(point)] == ["cluster", "prune", "int8"]


def test_layers_are_kept_by_the_step_that_quantizes():
    name = "sequential_1/conv2d_1/Relu"
    assert short_layer(f"{name};sequential_1/conv2d_1/BiasAdd") == name

    (found,) = recipe_of({"quantize": "int8", f"layer.{name}": "float32", "layer.b": "int16"}, SPACE, None).steps

    assert found.params["keep_float"] == [rf"^{name}(;|$)"]
    assert found.params["keep_int16"] == ["^b(;|$)"]
    (plain,) = recipe_of({"quantize": "int8", "layer.b": "int8"}, SPACE, None).steps
    assert dict(plain.params) == {}


def test_steps_of_a_recipe_are_varied_and_its_own_parameters_stay(tmp_path: Path):
    base = Recipe(
        name="mine", summary="", when="", folder=tmp_path,
        steps=(
            Step(pass_name="prune", params={"epochs": 2}, choices={"sparsity": (0.9, 0.5)}), Step(pass_name="int8"),
        ),
    )  # fmt: skip

    assert steps({"prune.sparsity": 0.5}, base) == [("prune", {"epochs": 2, "sparsity": 0.5}), ("int8", {})]
    assert steps({"prune.sparsity": "off"}, base) == [("int8", {})]
    assert steps({"cortex_m.optimize": "ram"}, base)[-1] == ("cortex_m", {"optimize": "ram"})
    assert recipe_of({}, (), base).folder == tmp_path


@pytest.mark.parametrize(
    ("name", "values", "said"),
    [
        ("prun.sparsity", (0.5,), "prun.sparsity"),
        ("prune", (0.5,), "no pass with a parameter"),
        ("prune.sparsty", (0.5,), "no parameter 'sparsty'"),
        ("quantize", ("int8", "int9"), "int9"),
        ("int8.calibration", ("min_max", "minmax"), "minmax"),
        ("prune.sparsity", ("off", 1.5), "sparsity"),
        ("prune.sparsty", ("off",), "no parameter 'sparsty'"),
        ("layer.conv", ("int8", "int4"), "no precision"),
        ("order", ("prun>cluster",), "'prun', which is no pass"),
        ("order", (3,), "no pass"),
    ],
)
def test_names_that_mean_nothing_are_refused(name: str, values: tuple, said: str):
    with pytest.raises(ConfigurationError, match=said):
        check_names((Choice(name=name, values=values),), None)


@pytest.mark.parametrize(
    ("parameter", "said"),
    [
        (Real(name="prune.sparsity", low=0.1, high=1.5), "1.5"),
        (Integer(name="cluster.clusters", low=0, high=16), "clusters"),
        (Integer(name="cluster.clusters", low=-5, high=10**9), "clusters"),
        (Real(name="cluster.clusters", low=2.0, high=16.0), "clusters"),
    ],
)
def test_range_that_the_pass_does_not_take_is_refused(parameter: Integer | Real, said: str):
    with pytest.raises(ConfigurationError, match=said):
        check_names((parameter,), None)


def test_range_that_the_pass_takes_is_kept():
    check_names(
        (Real(name="prune.sparsity", low=0.1, high=0.9), Integer(name="cluster.clusters", low=2, high=64)), None
    )


def test_parameter_that_there_is_none_of_is_told_with_the_closest():
    with pytest.raises(ConfigurationError) as caught:
        check_names((Choice(name="prune.sparsty", values=(0.5,)),), None)

    assert caught.value.hint == "did you mean 'sparsity'?"


def test_recipe_without_the_step_is_refused():
    check_names(SPACE, None)
    with pytest.raises(ConfigurationError, match="no step 'prune'"):
        check_names(SPACE, load_recipe("int8"))
    check_names((SPACE[3], SPACE[4]), load_recipe("int8"))


def test_recipe_that_says_how_to_quantize_is_not_overruled_in_silence():
    with pytest.raises(ConfigurationError, match="recipe 'int8' says how to quantize"):
        check_names((SPACE[2],), load_recipe("int8"))


def test_names_are_listed_and_no_range():
    check_names((Choice(name="layer.conv", values=("int8", "int16", "float32")),), None)
    with pytest.raises(ConfigurationError, match="range of numbers"):
        check_names((Integer(name="layer.conv", low=8, high=16),), None)
