"""The benchmark of a second worker and of Ray: its rate, its rows, and the candidate that costs nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import search_scale
from benchmarks._search_nothing import search_nothing
from benchmarks.search_scale import Scale, seconds_each
from edgekit.config.targets import load_target
from edgekit.core.search.trial import Outcome, State, Trial
from edgekit.flows.request import CompileRequest
from edgekit.flows.searching.request import SearchRequest


def trial(number: int, began: float, ended: float) -> Trial:
    done = Outcome(state=State.COMPLETE, values={"accuracy": 1.0, "size_bytes": 1.0})
    return Trial(number=number, params={}, state=State.COMPLETE, outcome=done, began=began, ended=ended)


def test_rate_counts_from_the_first_beginning_to_the_last_end() -> None:
    assert seconds_each([trial(0, 10.0, 14.0), trial(1, 11.0, 13.0), trial(2, 13.0, 22.0)]) == pytest.approx(4.0)


@pytest.mark.parametrize(
    ("two", "ray_s", "met"), [([180.0, 200.0, 190.0], 0.25, (True, False)), ([170.0, 175.0, 185.0], 0.2, (False, True))]
)
def test_rows_judge_the_median_of_pairs(two: list[float], ray_s: float, met: tuple[bool, bool]) -> None:
    found = Scale(one=[100.0] * 3, two=two, process_s=[0.01, 0.01, 0.02], ray_s=[ray_s + 0.01, ray_s + 0.01, 0.02])

    gain, overhead = search_scale.figures(found)

    assert (gain.met, overhead.met) == met
    assert gain.value == f"{sorted(two)[1] / 100:.2f} ({min(two) / 100:.2f} to {max(two) / 100:.2f})"
    assert overhead.value == f"{1000 * ray_s:.1f} ms (0.0 to {1000 * ray_s:.1f})"


def test_search_of_nothing_tries_each_point_and_is_timed(tmp_path: Path) -> None:
    (tmp_path / "model").touch()
    request = SearchRequest(
        compile=CompileRequest(model=tmp_path / "model", target=load_target("cortex_m4")), folder=tmp_path / "study",
        trials=5,
    )  # fmt: skip

    run = search_nothing(request)

    assert [each.state for each in run.trials] == [State.COMPLETE] * 5
    assert seconds_each(run.trials) > 0
