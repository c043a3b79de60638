"""How many channels go, and which: ratio, threshold and budget, with limits."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from edgekit.core.errors import ConfigurationError, UnsupportedError
from edgekit.passes._keras.slim.graph import ChannelGraph, Group
from edgekit.passes._keras.slim.planning import Plan
from edgekit.passes._keras.slim.roles import Cost, Role
from edgekit.passes._keras.slim.selection import Limits
from edgekit.passes.slim import PASS

FIRST, SECOND, OUT = np.arange(8), np.arange(8, 24), np.arange(24, 27)
SCORES = np.concatenate([np.arange(1.0, 9.0), np.arange(16.0, 0.0, -1.0), np.ones(3)])


def graph(*, each: int | None = 10) -> ChannelGraph:
    """Two layers of 8 and 16 channels in a row, and an output of 3."""
    roles = {name: Role(sizes={"filters": ids}) for name, ids in (("first", FIRST), ("second", SECOND), ("out", OUT))}
    return ChannelGraph(
        count=27,
        roles=roles,
        groups=(Group(layers=("first",), channels=FIRST), Group(layers=("second",), channels=SECOND)),
        costs=(
            Cost(each=100, inputs=None, outputs=FIRST),
            Cost(each=each, inputs=FIRST, outputs=SECOND),
            Cost(each=1, inputs=SECOND, outputs=OUT),
        ),
        unknown=("memory (LSTM)",),
    )


def left(*, share: float = 1.0, scores: np.ndarray = SCORES, **params: Any) -> tuple[list[int], list[int]]:
    """Numbers of the channels that stay in both layers."""
    found = graph()
    plan = Plan.of("net", dataclasses.asdict(PASS.parse(params)), found)
    keep = plan.keep(found, scores, share=share)
    assert keep[OUT].all()
    return FIRST[keep[FIRST]].tolist(), SECOND[keep[SECOND]].tolist()


def counts(**params: Any) -> tuple[int, int]:
    first, second = left(**params)
    return len(first), len(second)


def test_ratio_removes_the_lowest_scores_of_each_layer() -> None:
    assert left(ratio=0.25) == ([2, 3, 4, 5, 6, 7], [*range(8, 20)])


def test_equal_scores_go_in_order() -> None:
    assert left(ratio=0.25, scores=np.ones(27)) == ([2, 3, 4, 5, 6, 7], [*range(12, 24)])


@pytest.mark.parametrize(
    ("params", "wanted"),
    [
        ({"ratio": 0.3}, (6, 11)),
        ({"ratio": 0.05}, (8, 15)),
        ({"ratio": 0.3, "round_to": 4}, (4, 12)),
        ({"ratio": 0.6, "round_to": 8}, (8, 8)),
        ({"ratio": 0.7, "min_channels": 4}, (4, 5)),
        ({"ratio": 0.7, "min_channels": 4, "round_to": 3}, (6, 6)),
        ({"ratio": 0.25, "layers": {"first": 0.5}}, (4, 12)),
        ({"ratio": 0.25, "layers": {"first": 0.0}}, (8, 12)),
        ({"ratio": 0.25, "layers": {"fi.*": 0.5, "first": 0.125}}, (7, 12)),
        ({"ratio": 0.0, "layers": {"second": 0.5}}, (8, 8)),
        ({"ratio": 0.25, "skip": ("sec.*",)}, (6, 16)),
        ({"threshold": 0.5}, (5, 9)),
        ({"threshold": 0.5, "min_channels": 10}, (8, 10)),
        ({"threshold": 0.5, "round_to": 4}, (8, 12)),
    ],
    ids=repr,
)
def test_layers_keep_as_many_channels_as_asked(params: dict[str, Any], wanted: tuple[int, int]) -> None:
    assert counts(**params) == wanted


def test_threshold_over_all_layers_compares_with_the_largest_score() -> None:
    assert left(threshold=0.5, scope="global", criterion="taylor") == ([7], [*range(8, 17)])


def test_global_ratio_removes_that_share_of_all_channels_wherever_scores_are_lowest() -> None:
    scores = SCORES.copy()
    scores[FIRST] *= 100

    assert left(ratio=0.5, scope="global", criterion="taylor", scores=scores) == ([*range(8)], [8, 9, 10, 11])


def test_norms_of_different_layers_are_compared_by_their_means() -> None:
    scores = SCORES.copy()
    scores[FIRST] *= 100

    assert left(ratio=0.5, scope="global", scores=scores) == left(ratio=0.5, scope="global")


@pytest.mark.parametrize("scope", ["group", "global"])
@pytest.mark.parametrize("target", [0.9, 0.5, 0.25, 0.2])
def test_macs_fall_as_asked_and_no_channel_further(scope: str, target: float) -> None:
    found = graph()
    plan = Plan.of("net", dataclasses.asdict(PASS.parse({"target_macs": target, "scope": scope})), found)

    keep = plan.keep(found, SCORES, share=1.0)

    whole = found.macs(found.all_kept()) or 0
    assert (found.macs(keep) or 0) <= target * whole
    assert (found.macs(keep) or 0) > target * whole - 270, (
        "one channel of `first` costs 100 + 10 * 16, and 10 in rounding"
    )


def test_channels_that_a_large_step_made_superfluous_are_given_back() -> None:
    """(7, 13) costs 1,649 of 2,128, the next step (6, 13) 1,419; (6, 14) keeps below 1,489.6 as well."""
    assert counts(target_macs=0.7) == (6, 14)


def test_channel_that_costs_much_goes_before_one_that_costs_little() -> None:
    first, second = left(target_macs=0.8, scope="global", criterion="taylor", scores=np.ones(27))

    assert len(first) < 8
    assert len(second) == 16


def test_rounds_remove_their_share_of_the_original() -> None:
    found = graph()
    plan = Plan.of("net", dataclasses.asdict(PASS.parse({"ratio": 0.5, "iterations": 2})), found)

    half = plan.keep(found, SCORES, share=0.5)
    smaller = dataclasses.replace(
        found,
        groups=tuple(dataclasses.replace(each, channels=each.channels[half[each.channels]]) for each in found.groups),
    )
    whole = plan.keep(smaller, SCORES, share=1.0) & half

    assert (half[FIRST].sum(), half[SECOND].sum()) == (6, 12)
    assert (whole[FIRST].sum(), whole[SECOND].sum()) == (4, 8)


def test_levels_are_multiples_and_the_whole() -> None:
    assert Limits(round_to=4).levels(10) == [10, 8, 4]
    assert Limits(min_channels=5, round_to=4).levels(10) == [10, 8]
    assert Limits(min_channels=3).levels(3) == [3]


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"ratio": 0.97}, "slim.ratio is 0.97"),
        ({"ratio": 0.9, "min_channels": 4}, "fewer than 4 channels"),
        ({"min_channels": 16}, "slim.min_channels is 16"),
        ({"skip": (".*",)}, "leave no layer"),
        ({"skip": ("frist",)}, "'frist' matches no layer"),
        ({"layers": {"memory": 0.5}}, "'memory' matches no layer"),
        ({"target_macs": 0.01}, "cannot go below 0.0"),
    ],
    ids=repr,
)
def test_what_no_cut_can_give_is_refused_with_a_way_out(params: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words) as caught:
        left(**params)

    assert caught.value.hint


def test_misspelt_layer_gets_a_did_you_mean() -> None:
    with pytest.raises(ConfigurationError) as caught:
        left(skip=("frist",))

    assert caught.value.hint == "did you mean 'first'?"


def test_criterion_that_judges_nothing_is_refused() -> None:
    with pytest.raises(UnsupportedError, match="bn_scale") as caught:
        left(criterion="bn_scale", scores=np.full(27, np.nan))

    assert "l1" in (caught.value.hint or "")


def test_layer_that_the_criterion_cannot_judge_stays() -> None:
    scores = SCORES.copy()
    scores[FIRST] = np.nan

    assert left(ratio=0.25, criterion="bn_scale", scores=scores) == ([*range(8)], [*range(8, 20)])


def test_model_without_groups_is_refused_with_the_layers_in_the_way() -> None:
    with pytest.raises(UnsupportedError, match=r"memory \(LSTM\)"):
        Plan.of("net", dataclasses.asdict(PASS.parse({})), dataclasses.replace(graph(), groups=()))


def test_budget_of_macs_is_refused_where_a_shape_is_open() -> None:
    with pytest.raises(UnsupportedError, match="open"):
        Plan.of("net", dataclasses.asdict(PASS.parse({"target_macs": 0.5})), graph(each=None))
