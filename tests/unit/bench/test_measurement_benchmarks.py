"""Rows and tables of the benchmarks of the measuring method, from made-up raw figures; and their dispatch."""

from __future__ import annotations

import os
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks import _command, _disturb, aa, coverage, disturbances, repeatability
from benchmarks._missing import CannotRun
from benchmarks._splits import Share
from edgekit.core.measurement import Validity
from edgekit.core.regression import compare_medians
from edgekit.core.statistics import Interval


def met(figures) -> dict[str, bool | None]:
    return {figure.what: figure.met for figure in figures}


def condition(load: str, *, alarms: int, found: int, same: int) -> aa.Condition:
    ours = {f"{n} {ratio}": Share(slower=found, same=same, of=1000) for n in (10, 20) for ratio in (1.0, 1.05, 1.10)}
    ours |= {f"{n} 1.0": Share(slower=alarms, same=0, of=1000) for n in (10, 20)}
    rules = {f"{name} {ratio}": Share(slower=1, same=1, of=2) for name in aa.RULES for ratio in (1.0, 1.05, 1.10)}
    return aa.Condition(
        device="pi",
        load=load,
        medians_ns=(1e6, 1.01e6),
        margin=0.03,
        flags=("NOISY",),
        ours=ours,
        single=rules,
        pooled=rules,
    )


def measured(layers: int, processes: int, generator: np.random.Generator) -> SimpleNamespace:
    """Processes of 50 calls whose medians vary by 1 %."""
    times = (
        1e6 * layers * np.exp(generator.normal(0, 0.01, (processes, 1)) + generator.normal(0, 0.02, (processes, 50)))
    )
    return SimpleNamespace(
        runs=[SimpleNamespace(samples_ns=tuple(map(int, run))) for run in times], validity=(Validity.VALID,)
    )


def test_aa_measures_an_unchanged_model_quiet_and_loud_and_a_slower_one(monkeypatch: pytest.MonkeyPatch) -> None:
    generator, asked = np.random.default_rng(0), []

    def in_turn(entry, models, *, plan, processes):
        asked.append((entry, models, processes, plan.steady_cap_s))
        return [measured(layers, processes, generator) for layers in models]

    monkeypatch.setattr(aa, "in_turn", in_turn)
    monkeypatch.setattr(aa, "chains", lambda counts, _device: counts)
    monkeypatch.setattr(aa, "device_of", nullcontext)
    monkeypatch.setattr(aa, "SPLITS", 2)

    found = aa.measure(40, device="local")

    assert [(models, processes) for _, models, processes, _ in asked] == [
        ([20], 40),
        ([20, 21], 20),
        ([20, 22], 10),
        ([20], 40),
    ]
    assert asked[3][3] < asked[0][3]
    assert [(one.load, one.margin) for one in found.conditions] == [("quiet", 0.03), ("under load", 0.03)]
    assert [(slow.more, slow.n, slow.change) for slow in found.slower] == [
        ("5 %", 20, "slower"),
        ("10 %", 10, "slower"),
    ]
    assert all(met(aa.figures(found)).values())


def test_aa_needs_enough_processes_to_split() -> None:
    with pytest.raises(CannotRun, match="--runs 40"):
        aa.measure(39)


def test_aa_holds_false_alarms_everywhere_and_finds_only_where_it_is_quiet() -> None:
    quiet = aa.AA(conditions=(condition("quiet", alarms=10, found=950, same=0),), slower=())
    loud = aa.AA(conditions=(condition("under load", alarms=11, found=0, same=11),), slower=())

    assert met(aa.figures(quiet)) == {
        "pi, quiet, 10 v 10: unchanged, called slower": True,
        "pi, quiet, 20 v 20: unchanged, called slower": True,
        "pi, quiet, 20 v 20: 5% slower, found": True,
        "pi, quiet, 10 v 10: 10% slower, found": True,
    }
    assert set(met(aa.figures(loud)).values()) == {False}
    assert "called the same or faster" in aa.figures(loud)[-1].what


def test_aa_shows_the_published_rules_beside_ours() -> None:
    table = aa.tables(aa.AA(conditions=(condition("quiet", alarms=0, found=950, same=50),), slower=()))

    rows = [line for line in table.splitlines() if line.startswith("| pi")]
    assert len(rows) == 2 + 2 * len(aa.RULES)
    assert rows[0].startswith("| pi, quiet | edgekit | 10 v 10 processes | 0.0% (100% inconclusive) | 95.0%")
    assert "2 processes, 1 ms, medians vary by 0.7%, margin 3.0%, flags NOISY" in table


def test_slower_model_has_to_be_called_slower() -> None:
    slow = aa.Slower(device="pi", more="5 %", n=20, change="same", ratio=1.05, low=1.04, high=1.06)
    (row,) = aa.figures(aa.AA(conditions=(), slower=(slow,)))

    assert row.met is False
    assert row.value == "same (+5.0%, +4.0% to +6.0%)"


def test_simulations_tell_what_was_said_of_each_kind_of_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coverage, "LOUD", {"bursts of load": coverage.LOUD["bursts of load"]})
    monkeypatch.setattr(coverage, "QUIET", {"variation 2 %": coverage.QUIET["variation 2 %"]})

    found = coverage.measure(4)

    rows = met(coverage.figures(found))
    assert rows["unchanged, called slower, all kinds of noise"]
    assert rows["10 % slower at 10 v 10, variation 2 %, found"]
    assert rows["slower by 5 or 10 % under load, called the same or faster"]
    assert "| variation 2 % | 20 v 20 |" in coverage.tables(found)
    assert "| bursts of load | 10 v 10 |" in coverage.tables(found)


def test_disturbed_run_has_to_be_flagged_for_more_than_being_emulated() -> None:
    def run(kind: str, *flags: str) -> disturbances.Disturbed:
        return disturbances.Disturbed(device="pi", kind=kind, flags=flags, reasons=("it is hot",))

    seen = [run("hot", "THROTTLED", "EMULATED")] * 30
    good = disturbances.figures(disturbances.Disturbances(runs=(*seen, run("nothing", "EMULATED"))))
    missed = disturbances.figures(disturbances.Disturbances(runs=(*seen, run("hot", "EMULATED"))))
    valid = disturbances.figures(disturbances.Disturbances(runs=(*seen, run("hot", "VALID"))))
    few = disturbances.figures(disturbances.Disturbances(runs=tuple(seen[:29])))

    assert [figures[0].met for figures in (good, missed, valid, few)] == [True, False, False, False]
    assert good[1].value == "1"
    assert "| pi | hot | 30 | 0 | THROTTLED 30, EMULATED 30 | it is hot |" in disturbances.tables(
        disturbances.Disturbances(runs=tuple(seen))
    )


@pytest.mark.parametrize(("last", "agrees"), [(1.04e6, True), (1.08e6, False)])
def test_runs_agree_within_5_percent_or_twice_the_floor(last: float, agrees: bool) -> None:
    found = repeatability.Repeatability(
        device="pi",
        gap_s=300,
        started_s=(0, 200, 301, 501),
        p50_ns=(1e6, 1e6, last, 1e6),
        work_ns=(100, 100, 105, 101),
        floor=0.02,
        bare=compare_medians([1.0] * 8, [1.02] * 8),
        operators_ns=(4e5, 5e5),
        operators_to_call=0.9,
        profiler=Interval(value=1.02, low=1.01, high=1.03),
        profiler_ns=2500.0,
    )

    pairs, alike, bare, together, profiler = repeatability.figures(found)
    assert pairs.met is agrees
    assert alike.value == "1 of 1"
    assert alike.note == "the sentinel's largest difference 5.0%"
    assert (bare.met, profiler.met) == (False, True)
    assert bare.value.startswith("+2.00%")
    assert together.value == "-10.0% (2 operators)"
    assert profiler.note.startswith("2.5 us an operator")


def test_hogs_are_gone_afterwards() -> None:
    others = _children()
    with _disturb.cpu_hogs(1):
        hogs = _children() - others
        assert len(hogs) >= len(os.sched_getaffinity(0))

    assert not hogs & _children()


def _children() -> set[str]:
    return {pid for task in Path("/proc/self/task").iterdir() for pid in (task / "children").read_text("ascii").split()}


def test_options_reach_only_the_benchmarks_that_take_them(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = []

    def stand_in(name: str) -> SimpleNamespace:
        def measure(runs: int, **options: object) -> None:
            taken.append((name.rpartition(".")[2], runs, options))

        return SimpleNamespace(RUNS=7, TAKES=getattr(aa, "TAKES", ()), measure=measure, figures=lambda found: ())

    monkeypatch.setattr(_command.importlib, "import_module", stand_in)

    _command.run("aa", None, device="pi", gap=3.0)
    _command.run("aa", 2, device=None, gap=None)

    assert taken == [("aa", 7, {"device": "pi"}), ("aa", 2, {})]
