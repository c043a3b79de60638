"""Points as the pods of a Katib experiment are given them."""

from __future__ import annotations

import pytest

from edgekit.core.errors import UsageError
from edgekit.core.search.space import Choice, Integer, Real
from edgekit.flows.searching.katib import parse_point

SPACE = (
    Choice(name="quantize", values=("int8", "none")),
    Choice(name="prune.sparsity", values=("off", 0.5, 1, True)),
    Integer(name="depth", low=1, high=4),
    Real(name="rate", low=0.1, high=0.9),
)


def test_values_are_those_of_the_space():
    point = parse_point(["quantize=int8", "prune.sparsity=0.5", "depth=3", "rate=0.25"], SPACE)

    assert point == {"quantize": "int8", "prune.sparsity": 0.5, "depth": 3, "rate": 0.25}
    assert parse_point(["prune.sparsity=true"], SPACE)["prune.sparsity"] is True
    assert parse_point(["prune.sparsity=off"], SPACE) == {"prune.sparsity": "off"}


@pytest.mark.parametrize(
    ("text", "said", "hint"),
    [
        ("quantise=int8", "no parameter 'quantise'", "did you mean 'quantize'"),
        ("quantize=int9", "cannot be 'int9'", "int8, none"),
        ("quantize", "cannot be ''", "int8, none"),
        ("depth=2.5", "is a number", "3"),
        ("depth=9", "from 1 to 4", "within"),
        ("rate=nan", "from 0.1 to 0.9", "within"),
    ],
)
def test_point_that_is_not_in_the_space_is_refused(text, said, hint):
    with pytest.raises(UsageError, match=said) as raised:
        parse_point([text], SPACE)

    assert hint in str(raised.value.hint)
