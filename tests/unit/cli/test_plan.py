"""From flags to the plan of a measurement."""

from __future__ import annotations

import click
import pytest

from edgekit.cli import _plan, profile
from edgekit.cli._values import cores
from edgekit.core.errors import UsageError
from edgekit.flows.measuring.modes import MODES, plan_for


def flags_of(*arguments: str) -> dict:
    """What click makes of them for a verb with all the options of a measurement."""

    @click.command()
    @_plan.plan_options
    @_plan.mode_options
    def verb(**flags):
        return flags

    return verb.main(list(arguments), standalone_mode=False)


def test_mode_alone_is_the_modes_own_plan():
    assert _plan.plan_from(flags_of()) == plan_for("default")
    assert _plan.plan_from(flags_of("--mode", "gate")) == plan_for("gate")


def test_verb_without_modes_measures_in_brief():
    assert _plan.plan_from({}) == plan_for("brief")
    assert _plan.plan_from({}, mode="gate") == plan_for("gate")


def test_emulators_get_no_further_processes_unless_a_width_is_asked_for():
    ten = _plan.plan_from(flags_of(), is_emulated=True)
    asked = _plan.plan_from(flags_of("--half-width", "0.05"), is_emulated=True)

    assert (ten.processes, ten.most_processes) == (10, None)
    assert (asked.processes, asked.most_processes) == (10, 40)


def test_flags_overrule_the_mode():
    plan = _plan.plan_from(
        flags_of(
            "--num-runs",
            "7",
            "--min-seconds",
            "0",
            "--num-threads",
            "2",
            "--wait",
            "5",
            "--strict-env",
            "--no-operators",
        )
    )

    assert (plan.samples, plan.min_seconds, plan.threads, plan.wait_s) == (7, 0.0, 2, 5.0)
    assert plan.strict
    assert not plan.operators
    assert plan.instructions


def test_number_of_processes_that_is_given_is_not_exceeded():
    assert _plan.plan_from(flags_of("--processes", "3")).most_processes is None


def test_tail_and_seconds_reach_their_modes():
    assert _plan.plan_from(flags_of("--mode", "tail", "--tail", "99.9")) == plan_for("tail", tail=99.9)
    assert _plan.plan_from(flags_of("--mode", "sustained", "--seconds", "60")) == plan_for("sustained", seconds=60)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("--mode", "fast"), "no mode 'fast'"),
        (("--mode", "tail", "--tail", "97"), "97"),
        (("--cores", "1-"), "--cores"),
        (("--cores", "one"), "--cores"),
        (("--mode", "brief", "--processes", "100", "--num-runs", "1000"), "101,000 calls"),
    ],
)
def test_flags_that_make_no_plan_are_usage_errors(arguments, named):
    with pytest.raises(UsageError, match=named):
        _plan.plan_from(flags_of(*arguments))


@pytest.mark.parametrize(
    ("text", "found"), [("1-3", (1, 2, 3)), ("0,2", (0, 2)), ("2,0-1", (0, 1, 2)), ("5", (5,)), (None, ())]
)
def test_cores_are_read_as_taskset_reads_them(text, found):
    assert cores(None, None, text) == found


def test_help_of_profile_names_every_mode():
    text = profile.command.get_help(click.Context(profile.command))

    assert all(mode in text for mode in MODES)
