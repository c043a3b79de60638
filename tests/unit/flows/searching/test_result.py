"""What trials amount to: the front, its growth, what limits excluded, how far trials came, what proxies knew."""

from __future__ import annotations

import pytest

from edgekit.core.search.goals import Goal, Limit
from edgekit.core.search.trial import State, Trial
from edgekit.flows.searching.result import (
    excluded,
    front_of,
    growth_of,
    proxy_correlations,
    rank_correlation,
    stages_of,
)
from tests.unit.flows.searching.points import GOALS, trial


def test_front_holds_what_nothing_beats_sorted_by_the_second_goal():
    trials = [trial(0, 0.9, 100.0), trial(1, 0.8, 150.0), trial(2, 0.95, 300.0), trial(3, 0.7, 50.0)]

    assert [point.number for point in front_of(trials, GOALS).trials] == [3, 0, 2]


def test_front_names_the_earliest_of_trials_with_the_same_values():
    trials = [trial(4, 0.9, 100.0), trial(2, 0.9, 100.0), trial(7, 0.9, 100.0), trial(1, 0.5, 400.0)]

    front = front_of(trials, GOALS)

    assert [point.number for point in front.trials] == [2]
    assert front.same == {2: (4, 7)}


@pytest.mark.parametrize("state", [State.PRUNED, State.INFEASIBLE, State.FAILED, State.REFUSED])
def test_only_complete_trials_are_in_the_front(state):
    trials = [trial(0, 0.99, 1.0, state=state), trial(1, 0.5, 10.0), Trial(number=2, params={}, state=State.RUNNING)]

    assert [point.number for point in front_of(trials, GOALS).trials] == [1]


@pytest.mark.parametrize("instructions", [None, float("nan"), float("inf")])
def test_trial_without_every_goal_is_not_in_the_front(instructions):
    assert front_of([trial(0, 0.9, instructions)], GOALS).trials == ()


def test_hypervolume_grows_with_the_trials_and_with_the_device_seconds():
    trials = [
        trial(0, 0.9, 200.0, device_s=3.0),
        trial(1, state=State.INFEASIBLE, stage="static"),
        trial(2, 0.8, 100.0, device_s=5.0),
        trial(3, 0.85, 190.0, device_s=1.0),
        trial(4, 0.79, 300.0, device_s=2.0),  # beaten
    ]

    growth = growth_of(trials, GOALS)

    # Ideal (0.9, 100), worst of the front (0.8, 200); the reference point lies a tenth of the span beyond it.
    assert growth.ideal == {"accuracy": pytest.approx(0.9), "instructions": pytest.approx(100)}
    assert growth.reference == {"accuracy": pytest.approx(0.79), "instructions": pytest.approx(210)}
    first = 1 * (1 - 10 / 11)  # trial 0 covers all of the accuracy and the last eleventh of the instructions
    both = first + (1 - 10 / 11) * (10 / 11)
    assert [place for place, _ in growth.over_trials] == [1, 3, 4, 5]
    assert [volume for _, volume in growth.over_trials][:2] == pytest.approx([first, both])
    assert growth.over_trials[-1][1] == growth.over_trials[-2][1] == growth.final > both
    assert [place for place, _ in growth.over_device_s] == [3.0, 8.0, 9.0, 11.0]


def test_growth_of_a_single_point_is_the_whole_box():
    growth = growth_of([trial(0, 0.9, 200.0)], GOALS)

    assert growth.over_trials == ((1.0, pytest.approx(1.0)),)


def test_nothing_grows_without_a_front():
    assert growth_of([trial(0, state=State.FAILED)], GOALS).final == 0.0


def test_each_limit_counts_the_trials_that_it_excluded():
    ram, flash = Limit(metric="ram_bytes", most=64.0), Limit(metric="flash_bytes", most=256.0)
    trials = [
        trial(0, state=State.INFEASIBLE, violations={"ram_bytes": 1.0}),
        trial(1, state=State.INFEASIBLE, violations={"ram_bytes": 1.0, "flash_bytes": 5.0}),
        trial(2, 0.9, 1.0),
    ]

    assert excluded(trials, (ram, flash)) == {ram: 2, flash: 1}


def test_stages_count_the_trials_that_ran_them_the_cheapest_first():
    trials = [
        trial(0, 0.9, 1.0, seconds={"accuracy": 1.0, "static": 1.0, "device": 2.0}),
        trial(1, state=State.INFEASIBLE, stage="static"),
        trial(2, state=State.PRUNED, stage="accuracy", seconds={"static": 0.1}),
    ]

    assert list(stages_of(trials).items()) == [("static", 3), ("accuracy", 2), ("device", 1)]


def test_proxies_are_ranked_against_the_accuracy():
    accuracies = [0.1, 0.4, 0.2, 0.9, 0.8]
    trials = [
        trial(
            number,
            value,
            1.0,
            seconds={"proxies": 0.1},
            proxies={"synflow": value**3, "noise": [3, 1, 2, 1, 3][number]},
        )
        for number, value in enumerate(accuracies)
    ]

    found = proxy_correlations(trials)

    assert found["synflow"] == (pytest.approx(1.0), 5)
    assert abs(found["noise"][0]) < 0.6


def test_rank_correlation_takes_mean_ranks_of_ties():
    # Spearman's rho of ranks 1, 2.5, 2.5, 4 and 1, 2, 3, 4: 4.5 / sqrt(4.5 * 5)
    assert rank_correlation([1, 5, 5, 9], [0.1, 0.2, 0.3, 0.4]) == pytest.approx(4.5 / (4.5 * 5) ** 0.5)
    assert rank_correlation([1, 2, 3], [7, 7, 7]) is None


def test_too_few_trials_have_no_correlation():
    assert proxy_correlations([trial(0, 0.9, 1.0, proxies={"synflow": 1.0}, seconds={"proxies": 0.1})]) == {}


def test_features_of_a_predictor_are_no_proxies():
    trials = [trial(number, number / 9, 1.0, proxies={"macs_int8": number}) for number in range(9)]

    assert proxy_correlations(trials) == {}


def test_time_of_an_emulator_counts_where_there_is_no_device():
    assert growth_of([trial(0, 0.9, 1.0, seconds={"device": 2.5})], GOALS).over_device_s == ((2.5, 1.0),)


def test_goal_that_is_made_large_is_judged_the_other_way_round():
    trials = [trial(0, 0.5, 1.0), trial(1, 0.9, 1.0)]

    assert [point.number for point in front_of(trials, (Goal(metric="accuracy"),)).trials] == [1]
