"""The benchmark of recipe searches: what a table is worth, a search over it, its rows and its picture."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from itertools import product

import pytest

from benchmarks import _search_plot, search_recipes
from benchmarks._search_table import Table, key, searched
from edgekit.core.search.goals import Goal
from edgekit.core.search.space import Choice
from edgekit.core.search.trial import Outcome, State
from edgekit.engines._base import StudyPlan

WIDTHS, DEPTHS = (1, 2, 4, 8), (1, 2, 3, 4, 5)
PARAMETERS = (Choice(name="width", values=WIDTHS), Choice(name="depth", values=DEPTHS))
GOALS = (Goal(metric="accuracy"), Goal(metric="instructions"))


def given(width: int, depth: int) -> Outcome:
    """More work is better answers, and width is the better bargain."""
    work = float(1000 * width * depth)
    values = {"accuracy": 1 - 0.4 / (width * width * depth), "instructions": work, "macs": work, "size_bytes": work}
    return Outcome(state=State.COMPLETE, values=values, measured=frozenset({"instructions"}))


@pytest.fixture
def table() -> Table:
    plan = StudyPlan(
        name="bench",
        storage="",
        identity={"schema": 1},
        parameters=PARAMETERS,
        goals=GOALS,
        limits=(),
        startup_trials=4,
    )
    points = [{"width": width, "depth": depth} for width, depth in product(WIDTHS, DEPTHS)]
    return Table(plan, {key(point): given(**point) for point in points})


def test_all_points_have_the_whole_volume_and_fewer_have_less(table: Table) -> None:
    everything = list(table.outcomes.values())

    assert table.share(everything) == pytest.approx(1.0)
    assert 0 < table.share(everything[:3]) < table.share(everything[:12]) < 1
    assert table.front == 8  # the least depth of each narrow one, and all of the widest: 3 + 5


@pytest.mark.parametrize("strategy", ["tpe", "random"])
def test_search_asks_no_more_than_it_may_and_loses_nothing(table: Table, strategy: str) -> None:
    shares = searched(table, strategy, 1, spares=False, questions=12)

    assert shares == sorted(shares)
    assert len(shares) == 12
    assert 0 < shares[0] < shares[-1] <= 1 + 1e-9


def test_predictor_spares_questions_and_no_point_of_the_front(table: Table) -> None:
    sparing = searched(table, "random", 1, spares=True, questions=20)

    assert len(sparing) < 20  # costs follow from the multiply-accumulates here, so it knows them soon
    assert sparing[-1] == pytest.approx(1.0)


@pytest.fixture
def found() -> search_recipes.Searched:
    shares = {
        "tpe": [[0.5, 0.96, 1.0], [0.6, 0.97, 1.0], [0.4, 0.99, 1.0]],
        "random, none spared": [[0.5, 0.6, 0.7, 1.0]] * 3,
    }
    return search_recipes.Searched(target="board", points=10, complete=8, front=3, shares=shares)


def test_budget_counts_questions_of_the_whole_space(found: search_recipes.Searched) -> None:
    assert found.at("tpe", 0.25) == [0.96, 0.97, 0.99]
    assert found.at("tpe", 0.01) == [0.5, 0.6, 0.4]
    assert found.at("tpe", 1.0) == [1.0, 1.0, 1.0]


def test_rows_hold_the_goals(found: search_recipes.Searched) -> None:
    rows = {row.what: row for row in search_recipes.figures([found])}

    reached = rows["board: true hypervolume found by tpe with 25% of the questions"]
    assert (reached.value, reached.met) == ("97.0% (96.0% to 99.0%)", True)
    lead = rows["board: tpe against random, none spared, least lead over all budgets up to half"]
    assert (lead.value, lead.met) == ("+0.0% with 12% of the questions", True)


def test_search_that_falls_behind_misses_its_goal(found: search_recipes.Searched) -> None:
    found.shares["random, none spared"] = [[0.5, 0.98, 0.99, 1.0]] * 3
    rows = {row.what: row for row in search_recipes.figures([found])}

    assert rows["board: tpe against random, none spared, least lead over all budgets up to half"].met is False


def test_picture_is_xml_with_a_line_for_each_strategy() -> None:
    curves = [
        _search_plot.Curve(label=label, low=(0.4, 0.9), middle=(0.5, 0.95), high=(0.6, 1.0))
        for label in ("this & that", "<the other>")
    ]

    drawn = ET.fromstring(_search_plot.plot(curves, title="A < B", note="n", marks=((1.5, 0.95),)))

    texts = [text.text for text in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert {"this & that", "<the other>", "A < B"} <= set(texts)
    assert len(list(drawn.iter("{http://www.w3.org/2000/svg}polyline"))) == 2
    places = [
        float(number)
        for line in drawn.iter("{http://www.w3.org/2000/svg}polyline")
        for pair in line.attrib["points"].split()
        for number in pair.split(",")
    ]
    assert all(0 <= place <= 760 for place in places)
