"""Every disturbance that edgekit-bench/1 knows takes the word VALID away from runs that are in order without it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgekit.core.measurement import Doubt, Plan, Validity
from edgekit.flows.measuring.validity import doubts_after, flags_of, is_disturbed
from tests.unit.flows.measuring._raw import look, run, runs

PLAN = Plan(runtime="litert", mode="default")
BOARD = ({"boot_id": "b", "governor": "performance"},) * 2


def flags(processes, plan=PLAN, **more):
    return flags_of(doubts_after(processes, plan, **{"environments": BOARD, **more}))


def spoilt(**changes):
    """Ten processes of which the sixth is different."""
    return [run(place, **changes) if place == 5 else run(place) for place in range(10)]


def test_runs_in_order_are_valid():
    assert flags(runs()) == (Validity.VALID,)


@pytest.mark.parametrize(
    ("processes", "flag", "reason"),
    [
        (runs(1), Validity.NOISY, "one process"),
        ([run(p, call_ns=1_000_000 + 120_000 * (p % 2)) for p in range(10)], Validity.NOISY, "vary by 6.0%"),
        ([run(p, call_ns=1_000_000 + 300_000 * (p % 2)) for p in range(10)], Validity.INVALID, "vary by 13.7%"),
        (spoilt(sentinel_ns=(50_000_000, 52_500_000)), Validity.NOISY, "5% longer"),
        (spoilt(sentinel_ns=(50_000_000, 60_000_000)), Validity.THROTTLED, "20% longer"),
        (spoilt(after=look(11, busy_ticks=100)), Validity.NOISY, "25% of the cores"),
        (runs(after=look(1, busy_ticks=None)), Validity.NOISY, "no CPU times"),
        (runs(before=None, after=None), Validity.NOISY, "no CPU times"),
        (spoilt(switches=90), Validity.NOISY, "90 times a second"),
        (runs(switches=60), Validity.NOISY, "60 times a second"),
        (spoilt(after=look(11, frequency_khz={"1": 600_000})), Validity.THROTTLED, "600 MHz, they can do 1500"),
        (spoilt(after=look(11, temperature_c=81.0)), Validity.THROTTLED, "81 C hot"),
        (spoilt(after=look(11, throttled=0x1)), Validity.THROTTLED, "under-voltage"),
        (spoilt(after=look(11, throttled=0x40000)), Validity.THROTTLED, "throttled"),
        (spoilt(after=look(11, swapped_pages=9)), Validity.NOISY, "were swapped"),
        (spoilt(after=look(11, realtime_ns=10**18 + 9 * 10**9)), Validity.NOISY, "-2.00 s"),
        (spoilt(steady=False), Validity.UNSTEADY, "1 of 10 processes"),
        (spoilt(outputs_sha256="f" * 64), Validity.NONDETERMINISTIC, "different outputs"),
        (
            [run(p, samples_ns=(*run().samples_ns, *[9_000_000] * 10)) for p in range(10)],
            Validity.NOISY,
            "9% of the samples",
        ),
        (runs(call_ns=5_000), Validity.NOISY, "to read the clock takes 100 ns"),
    ],
)
def test_disturbed_runs_are_flagged_with_the_figure(processes, flag, reason):
    doubts = doubts_after(processes, PLAN, environments=BOARD)

    assert flag in flags_of(doubts)
    assert any(doubt.flag is flag and reason in doubt.reason for doubt in doubts), doubts


@pytest.mark.parametrize(
    ("more", "flag"),
    [
        ({"synthetic": True}, Validity.SYNTHETIC),
        ({"emulated": True}, Validity.EMULATED),
        ({"environments": (BOARD[0], {"boot_id": "c", "governor": "performance"})}, Validity.INVALID),
        ({"environments": (BOARD[0], {"boot_id": "b", "governor": "powersave"})}, Validity.NOISY),
        ({"preflight": [Doubt(flag=Validity.NOISY, reason="busy")]}, Validity.NOISY),
    ],
)
def test_what_is_not_in_the_runs_is_flagged_too(more, flag):
    assert flags(runs(), **more) == (flag,)


def test_sticky_bits_from_before_the_start_are_no_doubt():
    processes = [
        run(p, before=look(2 * p, throttled=0x50000), after=look(2 * p + 1, throttled=0x50000)) for p in (0, 1)
    ]

    assert flags(processes) == (Validity.VALID,)


def test_board_that_is_capped_from_the_start_is_throttled_and_a_pc_without_its_turbo_is_not():
    told = {"boot_id": "b", "governor": "ondemand", "frequency_max_khz": 1_800_000}

    assert flags(runs(), environments=[told | {"board": "Raspberry Pi 4"}]) == (Validity.THROTTLED,)
    assert flags(runs(), environments=[told]) == (Validity.VALID,)


def test_core_that_idles_before_the_work_is_no_doubt():
    assert flags([run(p, before=look(2 * p, frequency_khz={"1": 600_000})) for p in range(4)]) == (Validity.VALID,)


def test_work_of_the_process_itself_is_not_the_work_of_others():
    own = look(1, busy_ticks=100, cpu_ns=1_000_000_000)

    assert flags([replace(run(), after=own), run(1)]) == (Validity.VALID,)


def test_slewed_clock_is_not_a_step():
    assert flags(
        [run(p, after=look(2 * p + 1, realtime_ns=round((2 * p + 1.0005) * 1e9) + 10**18)) for p in (0, 1)]
    ) == (Validity.VALID,)


def test_batched_calls_may_be_short():
    assert flags(runs(call_ns=5_000, batch=200)) == (Validity.VALID,)


def test_inputs_of_their_own_may_give_other_outputs():
    plan = replace(PLAN, own_input=True)

    assert flags(spoilt(outputs_sha256="f" * 64), plan) == (Validity.VALID,)


def test_flags_come_in_one_order_and_once():
    doubts = [Doubt(flag=flag, reason="") for flag in (Validity.INVALID, Validity.NOISY, Validity.INVALID)]

    assert flags_of(doubts) == (Validity.NOISY, Validity.INVALID)


def test_disturbance_is_held_against_the_best_so_far():
    slow = [run(sentinel_ns=(56_000_000, 56_000_000))]

    assert is_disturbed(slow, 50_000_000)
    assert not is_disturbed(slow, None)
    assert not is_disturbed([run(sentinel_ns=None)], 50_000_000)


def test_outputs_that_differ_are_told_with_the_first_input_where_that_is_known():
    (doubt,) = doubts_after(spoilt(outputs_sha256="f" * 64), PLAN, differs_at=3)

    assert doubt.reason == "the processes gave different outputs for the same inputs, first for input 3"
