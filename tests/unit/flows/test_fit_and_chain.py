"""Before any work: does a recipe make sense for a target, and does a model fit it, with every reason."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from edgekit.config.recipes import load_recipe
from edgekit.config.targets import load_target
from edgekit.core.errors import ConfigurationError, UnsupportedError
from edgekit.core.recipe import Recipe, Step
from edgekit.core.target import Runtime, Target
from edgekit.flows.chain import check_chain, needs_data
from edgekit.flows.fit import fit

FACTS: dict[str, Any] = {
    "ops": [{"name": "CONV_2D", "count": 3, "version": 3, "custom": False}],
    "dtypes": ["float32", "int32"],
    "activation_bytes": 1000,
}


def recipe(*steps: Step) -> Recipe:
    return Recipe(name="mine", summary="x", when="x", steps=steps)


@pytest.fixture
def target() -> Target:
    """A machine with one small runtime."""
    runtime = Runtime(name="tiny", formats=frozenset({"tflite"}), dtypes=frozenset({"float32", "int32"}))
    return replace(load_target("host"), name="toy", runtimes={"tiny": runtime}, ram_bytes=2**30, flash_bytes=2**20)


def reasons(target: Target, *, size_bytes: int = 1000, **facts: Any) -> tuple[str, ...]:
    found = fit(FACTS | facts, artifact_format="tflite", size_bytes=size_bytes, target=target)
    assert found.ok == (not found.reasons)
    return found.reasons


def test_model_that_fits_has_no_reason_against_it(target):
    assert reasons(target) == ()


def test_9_too_much_memory_shows_need_and_have(target):
    (reason,) = reasons(replace(target, ram_bytes=2**20))

    assert "1.0 MiB" in reason
    assert "needs about 64.0 MiB" in reason


def test_9_too_large_a_file_shows_need_and_have(target):
    (reason,) = reasons(target, size_bytes=2 * 2**20)

    assert "2.0 MiB" in reason
    assert "1.0 MiB" in reason


def test_10_custom_operator_is_named(target):
    ops = [{"name": name, "count": 1, "version": 1, "custom": True} for name in ("FlexErf", "ethos-u")]

    (reason,) = reasons(target, ops=ops)

    assert "FlexErf, ethos-u" in reason


def test_11_operator_version_shows_needs_and_has(target):
    runtime = replace(target.runtimes["tiny"], max_op_versions={"CONV_2D": 2})

    (reason,) = reasons(replace(target, runtimes={"tiny": runtime}))

    assert "CONV_2D" in reason
    assert "version 3" in reason
    assert "tiny has 2" in reason


def test_unsupported_operator_and_type_are_named_together(target):
    runtime = replace(target.runtimes["tiny"], unsupported_ops=frozenset({"CONV_2D"}))

    found = reasons(replace(target, runtimes={"tiny": runtime}), dtypes=["float32", "int8"])

    assert found == ("tiny has no CONV_2D", "tiny has no int8 kernels")


def test_format_that_the_target_does_not_run_is_named(target):
    found = fit(FACTS, artifact_format="pte", size_bytes=1, target=target)

    assert found.reasons == ("toy runs no pte models",)


@pytest.mark.parametrize("name", ["float32", "dynamic", "float16", "int8", "int16x8"])
@pytest.mark.parametrize("source", ["keras", "saved_model", "tflite"])
def test_built_in_recipe_suits_the_host(name, source):
    check_chain(load_recipe(name), load_target("host"), source)


def test_recipe_whose_type_the_target_lacks_names_the_targets_own(target):
    with pytest.raises(UnsupportedError, match="tiny on toy has no int8 kernels") as caught:
        check_chain(load_recipe("int8"), target, "keras")

    assert repr(target.recipe) in (caught.value.hint or "")


def test_step_that_does_not_read_what_it_gets_is_named_with_its_place(target):
    reads = "step 1: 'tflite' reads keras, saved_model, tf_keras, tflite, but gets torch"
    with pytest.raises(UnsupportedError, match=reads):
        check_chain(recipe(Step(pass_name="tflite")), target, "torch")


def test_recipe_that_ends_in_a_format_that_does_not_run_is_refused(target):
    with pytest.raises(UnsupportedError, match="ends with keras; toy runs tflite"):
        check_chain(recipe(), target, "keras")


def test_wrong_parameter_is_known_before_any_work():
    with pytest.raises(ConfigurationError, match="'ios'") as caught:
        check_chain(recipe(Step(pass_name="int8", params={"ios": "int8"})), load_target("host"), "keras")

    assert caught.value.hint == "did you mean 'io'?"


def test_unknown_pass_is_known_before_any_work():
    with pytest.raises(UnsupportedError, match="'int9'"):
        check_chain(recipe(Step(pass_name="int9")), load_target("host"), "keras")


@pytest.mark.parametrize(("name", "needed"), [("int8", True), ("int16x8", True), ("dynamic", False), ("as_is", False)])
def test_calibration_is_asked_for_where_a_step_needs_it(name, needed):
    assert needs_data(load_recipe(name)) is needed
