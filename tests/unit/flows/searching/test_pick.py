"""Words for points of a front: the smallest, the fastest, the balanced one."""

from __future__ import annotations

from edgekit.core.search.goals import Goal
from edgekit.flows.searching.pick import knee, picks

BOARD = tuple(Goal(metric=metric) for metric in ("accuracy", "instructions", "flash_bytes"))
POINTS = [
    {"accuracy": 0.99, "instructions": 900.0, "flash_bytes": 64.0, "size_bytes": 1.0},
    {"accuracy": 0.98, "instructions": 400.0, "flash_bytes": 40.0, "size_bytes": 2.0},
    {"accuracy": 0.90, "instructions": 300.0, "flash_bytes": 42.0, "size_bytes": 3.0},
    {"accuracy": 0.89, "instructions": 380.0, "flash_bytes": 30.0, "size_bytes": 4.0},
]


def test_each_word_names_the_point_that_is_best_in_it():
    assert picks(POINTS, BOARD) == {"smallest": 3, "fastest": 2, "balanced": 1}


def test_goal_decides_what_small_means():
    goals = (Goal(metric="accuracy"), Goal(metric="size_bytes"))

    assert picks(POINTS, goals)["smallest"] == 0  # by its file, as flash is no goal


def test_tie_goes_to_the_more_accurate_point():
    points = [{"accuracy": 0.7, "latency_ns": 5.0}, {"accuracy": 0.9, "latency_ns": 5.0}]

    assert picks(points, (Goal(metric="accuracy"), Goal(metric="latency_ns")))["fastest"] == 1


def test_word_that_nothing_is_known_for_is_left_out():
    points = [{"accuracy": 0.9}, {"accuracy": 0.8, "latency_ns": 5.0}]

    assert picks(points, (Goal(metric="accuracy"),)) == {"balanced": 0}


def test_empty_front_has_no_picks():
    assert picks([], BOARD) == {}


def test_knee_does_not_depend_on_units():
    scaled = [{**point, "instructions": point["instructions"] * 1e6} for point in POINTS]

    assert knee(scaled, BOARD) == knee(POINTS, BOARD) == 1


def test_knee_of_equal_points_is_the_first():
    assert knee([{"accuracy": 0.5}, {"accuracy": 0.5}], (Goal(metric="accuracy"),)) == 0
