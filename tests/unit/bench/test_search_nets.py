"""Rows of the benchmark of architecture searches from made-up figures, which point it takes, and its spectrograms."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from benchmarks import _command, search_nets
from benchmarks._log_mel import log_mel
from benchmarks._search_nets_run import Net, Search, chosen_point


def net(right: int, *, instructions: int, n: int = 100) -> Net:
    answers = tuple(place < right for place in range(n))
    return Net(right=answers, instructions=instructions, ram_bytes=9000, flash_bytes=20_000)


def search(found: Net, *, seed: int = 0, seconds: float = 1500.0) -> Search:
    return Search(
        seed=seed,
        net=found,
        validation=0.975,
        point={"depth": 3, "learning_rate": 0.0043211},
        counts={"total": 40, "complete": 12, "pruned": 28},
        seconds=seconds,
        proxies={"synflow": {"correlation": 0.41, "n": 12}},
    )


def compared(right: int, instructions: int, **changes: Any) -> search_nets.Compared:
    found = search(net(right, instructions=instructions), **changes)
    anew = search(net(94, instructions=1010))
    by_hand = net(93, instructions=1000)
    return search_nets.Compared(name="fsdd", title="digits", by_hand=by_hand, searches=(found,), anew=anew)


@pytest.mark.parametrize(
    ("right", "instructions", "met"), [(97, 900, True), (97, 1000, True), (97, 1001, False), (93, 900, False)]
)
def test_goal_is_met_by_more_right_answers_at_no_more_instructions(right: int, instructions: int, met: bool):
    rows = search_nets.figures([compared(right, instructions)])

    goals = [row for row in rows if row.goal]
    assert [row.met for row in goals] == [met, True]
    assert goals[0].value.startswith(f"{right}.00% of 100")
    assert f"{right - 93} answers won, 0 lost" in goals[0].note
    assert "40 trials (12 complete, 28 pruned) in 25 minutes" in goals[0].note
    assert "learning_rate 0.00432" in goals[0].note
    assert any(row.value == "+0.41 of 12 nets" for row in rows)


def test_both_searches_of_a_seed_together_stay_within_the_hour():
    found = [compared(97, 900, seconds=1900.0), compared(97, 900, seconds=1801.0)]

    row = search_nets.figures(found)[-1]

    assert (row.met, row.value) == (False, "61.7 min")


def test_most_accurate_point_within_the_instructions_is_taken_and_of_equals_the_cheapest():
    def point(accuracy: float, instructions: int, bundle: str | None = "a") -> dict[str, Any]:
        return {"bundle": bundle, "values": {"accuracy": accuracy, "instructions": instructions}}

    front = [point(0.99, 1200), point(0.98, 700, bundle=None), point(0.97, 900), point(0.97, 800), point(0.9, 100)]

    assert chosen_point(front, 1000)["values"] == {"accuracy": 0.97, "instructions": 800}


def test_minutes_of_a_search_are_an_option_of_the_command():
    assert _command.parser().parse_args(["search_nets", "--minutes", "4.5"]).minutes == 4.5


def test_a_tone_is_loudest_in_the_band_of_its_pitch():
    seconds = np.arange(8000) / 8000
    tones = np.stack([np.sin(2 * np.pi * pitch * seconds) for pitch in (300, 1000, 3000)])

    bands = log_mel(tones).mean(axis=2).argmax(axis=1)

    mel = 2595 * np.log10(1 + np.array([300, 1000, 3000]) / 700)
    top = 2595 * np.log10(1 + 4000 / 700)
    assert log_mel(tones).shape == (3, 24, 61)
    assert np.abs(bands - (mel / top * 25 - 1)).max() < 1
