"""Trials of spaces: what they ask, what they remember, and that the same net can be built again."""

from __future__ import annotations

import pytest

from edgekit.spaces.trial import FixedTrial

POINT = {"depth": 2, "width": 8.5, "kind": "plain", "wide": True}


def test_fixed_trial_gives_the_values_of_its_point_and_remembers_the_ones_that_were_asked_for():
    trial = FixedTrial(POINT, [(8, 8)], 3)

    assert trial.suggest_int("depth", 1, 3) == 2
    assert trial.suggest_float("width", 1, 10) == 8.5
    assert trial.suggest_categorical("wide", [True, False]) is True
    assert trial.params == {"depth": 2, "width": 8.5, "wide": True}
    assert (trial.input_shape, trial.classes) == ((8, 8), 3)


def test_text_makes_the_same_trial_again():
    trial = FixedTrial(POINT, [(8, 8), (3,)], 3)

    again = FixedTrial.read(trial.text())

    assert again.text() == trial.text()
    assert again.input_shapes == ((8, 8), (3,))
    assert again.suggest_categorical("kind", ["plain", "odd"]) == "plain"


def test_space_that_asks_for_something_else_than_before_is_told():
    with pytest.raises(ValueError, match="did not before"):
        FixedTrial({}, [(8, 8)], 3).suggest_int("depth", 1, 3)


def test_choices_are_plain_values():
    with pytest.raises(TypeError, match="boolean, a number or a text"):
        FixedTrial(POINT, [(8, 8)], 3).suggest_categorical("kind", [(1, 2)])  # type: ignore[list-item]


def test_a_space_for_one_input_says_when_there_are_two():
    with pytest.raises(ValueError, match="2 inputs"):
        _ = FixedTrial(POINT, [(8, 8), (3,)], 3).input_shape
