"""Declared spaces: what is refused, what exists, and that a file gives the same one back."""

from __future__ import annotations

import json

import pytest

from edgekit.core.errors import ConfigurationError
from edgekit.core.search.space import (
    Choice,
    Integer,
    Real,
    When,
    as_json,
    check_point,
    check_space,
    digest,
    from_json,
    points,
    size,
)

SPACE = (
    Choice(name="quantize", values=("int8", "int16", "float32")),
    Integer(name="width", low=8, high=20, step=4),
    Choice(name="sparsity", values=(0.5, 0.9), when=(When(name="quantize", values=("int8",)),)),
)


def test_points_are_those_whose_conditions_hold():
    found = list(points(SPACE))

    assert size(SPACE) == len(found) == 4 * 2 + 2 * 4
    assert {"quantize": "int8", "width": 20, "sparsity": 0.9} in found
    assert {"quantize": "int16", "width": 8} in found
    assert all(("sparsity" in point) == (point["quantize"] == "int8") for point in found)
    for point in found:
        check_point(SPACE, point)


def test_space_of_real_numbers_has_no_size():
    assert size((Real(name="rate", low=0.1, high=1.0),)) is None
    assert size((Real(name="rate", low=0.1, high=0.1),)) == 1
    assert size((Integer(name="n", low=1, high=10**7),), most=100) is None


def test_file_gives_the_same_space_back():
    space = (*SPACE, Real(name="rate", low=1e-4, high=1.0, log=True))
    again = from_json(json.loads(json.dumps(as_json(space))))

    assert again == space
    assert digest(again) == digest(space)
    assert digest(SPACE) != digest(space)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ((SPACE[0], SPACE[0]), "two parameters"),
        ((Choice(name="a", values=()),), "values that all differ"),
        ((Choice(name="a", values=(1, 1)),), "values that all differ"),
        ((Integer(name="a", low=3, high=2),), "holds nothing"),
        ((Integer(name="a", low=1, high=2, step=0),), "step 0"),
        ((Real(name="a", low=0.0, high=1.0, log=True),), "no logarithm"),
        ((Real(name="a", low=0.0, high=float("inf")),), "holds nothing"),
        ((SPACE[2],), "not declared before"),
        ((SPACE[0], Choice(name="b", values=(1,), when=(When(name="quantize", values=("int4",)),))), "never has"),
    ],
)
def test_declaration_without_sense_is_refused(wrong, said):
    with pytest.raises(ConfigurationError, match=said):
        check_space(wrong)


@pytest.mark.parametrize(
    ("point", "said"),
    [
        ({"quantize": "int8", "width": 8}, "lacks 'sparsity'"),
        ({"quantize": "int16", "width": 8, "sparsity": 0.5}, "does not count"),
        ({"quantize": "int16", "width": 9}, "no value"),
        ({"quantize": "int16", "width": True}, "no value"),
        ({"quantize": "int4", "width": 8}, "no value"),
    ],
)
def test_point_that_is_not_in_the_space_is_refused(point, said):
    with pytest.raises(ConfigurationError, match=said):
        check_point(SPACE, point)
