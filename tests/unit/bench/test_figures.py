"""Rendering of what the benchmarks find: rows, verdicts, and the page between its markers."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest

from benchmarks import _command, demo, evaluate, redeploy, rollback, transfer
from benchmarks import compile as bench_compile
from benchmarks import help as bench_help
from benchmarks._figures import BEGIN, END, Figure, at_least, at_most, ratio, replaced, table, with_unit
from benchmarks._machine import Machine
from benchmarks._runs import Run
from benchmarks.transfer import Seconds, Took, Transfer

MACHINE = Machine(date="2026-01-02 03:04 UTC", cpu="A CPU", cores=2, load=0.5, loop_ms=45.0, versions={"numpy": "2"})


@dataclass(frozen=True, kw_only=True)
class Raw:
    seconds: tuple[float, ...]


RESULT = ("rollback", Raw(seconds=(1.0, 2.0)), (at_most("way back", 3.0, 2.0, "s", note="busy"),))


def test_at_most_is_met_up_to_the_limit() -> None:
    assert at_most("x", 2.0, 2.0, "s").met is True
    assert at_most("x", 2.1, 2.0, "s").met is False


def test_at_least_is_met_from_the_limit_on() -> None:
    assert at_least("x", 0.9, 0.9, "x").met is True
    assert at_least("x", 0.89, 0.9, "x").met is False


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0, "bytes", "0 bytes"),
        (0.9666, "x", "0.967x"),
        (12345.6, "samples/s", "12,346 samples/s"),
        (59.95, "ms", "60 ms"),
    ],
)
def test_with_unit_keeps_three_digits(value: float, unit: str, text: str) -> None:
    assert with_unit(value, unit) == text


def test_ratio_pairs_the_runs_so_that_a_slow_spell_cancels_out() -> None:
    assert ratio([1.0, 10.0, 1.0], [2.0, 20.0, 2.0]) == 0.5


def test_table_has_one_row_a_figure_and_marks_a_missed_goal() -> None:
    text = table([("help", Figure(what="memory", value="15 MB")), ("rollback", RESULT[2][0])])

    assert text.splitlines()[2:] == [
        "| memory | 15 MB |  |  | `scripts/bench help` |",
        "| way back | 3 s | at most 2 s | **no** | `scripts/bench rollback` |",
    ]


def test_replaced_changes_only_what_is_between_the_markers() -> None:
    document = f"before\n{BEGIN}\nold\n{END}\nafter\n"

    assert replaced(document, "new") == f"before\n{BEGIN}\nnew\n{END}\nafter\n"
    assert replaced(replaced(document, "new"), "old") == document


def test_replaced_refuses_a_document_without_markers() -> None:
    with pytest.raises(ValueError, match="figures: begin"):
        replaced("nothing here", "new")


def test_page_names_machine_goals_reasons_and_what_was_not_measured() -> None:
    page = _command.page_of([RESULT], [("transfer", "needs root")], MACHINE)

    assert "A CPU, 2 cores, load 0.5" in page
    assert "| way back | 3 s | at most 2 s | **no** |" in page
    assert "- way back: busy" in page
    assert "Not measured here: transfer: needs root" in page


def test_document_holds_raw_figures_and_is_json() -> None:
    document = json.loads(json.dumps(_command.document_of([RESULT], [], MACHINE)))

    assert document["schema"] == "edgekit.bench/1"
    assert document["machine"]["load"] == 0.5
    assert document["benchmarks"]["rollback"]["raw"] == {"seconds": [1.0, 2.0]}
    assert document["benchmarks"]["rollback"]["figures"][0]["met"] is False


def test_help_says_which_heavy_module_was_loaded() -> None:
    found = bench_help.Help(cpu_s=(0.05, 0.07), bare_cpu_s=(0.01, 0.02), peak_bytes=15_000_000, heavy_modules=("rich",))

    cpu, _, memory, modules = bench_help.figures(found)

    assert (cpu.value, cpu.met) == ("50 ms", True)
    assert (memory.value, memory.met) == ("15 MB", True)
    assert (modules.value, modules.met) == ("rich", False)


def test_compile_compares_pairs_with_the_script_by_hand() -> None:
    runs = tuple(Run(wall_s=seconds, cpu_s=seconds) for seconds in (1.0, 2.0, 3.0))
    slower = tuple(Run(wall_s=1.2 * run.wall_s, cpu_s=run.cpu_s) for run in runs)

    first, *_ = bench_compile.figures(bench_compile.Compile(cold=slower, by_hand=runs, cached=runs))

    assert (first.value, first.met) == ("1.2x", False)


def test_redeploy_is_met_only_with_no_byte_sent_again() -> None:
    def sent(wire_bytes: int) -> redeploy.Sent:
        return redeploy.Sent(wire_bytes=wire_bytes, file_bytes=9, model_wire_bytes=wire_bytes, model_bytes=8)

    def is_met(*again: int) -> bool | None:
        found = redeploy.Redeploy(first=sent(9), again=tuple(map(sent, again)), clustered=sent(5))
        return redeploy.figures(found)[1].met

    assert is_met(0, 0) is True
    assert is_met(0, 1) is False


def test_rollback_and_demo_take_the_median() -> None:
    assert rollback.figures(rollback.Rollback(command_s=(1.0, 9.0, 2.0), device_s=(0.1,) * 3))[0].value == "2 s"
    first = Run(wall_s=500.0, cpu_s=1.0)
    assert demo.figures(demo.Demo(first=first, again=(Run(wall_s=30.0, cpu_s=1.0),)))[0].value == "30 s"


def test_evaluate_leaves_out_a_pi_that_was_not_there() -> None:
    rows = evaluate.figures(evaluate.Evaluate(local=(95.0,), local_bare=(100.0,), pi=(), pi_bare=()))

    assert [row.value for row in rows] == ["0.95x", "95 samples/s"]


def test_transfer_compares_the_bytes_without_the_start() -> None:
    own, scp = (Took(outside_s=1.0, whole_s=6.0),), (Took(outside_s=0.25, whole_s=4.25),)
    seconds = Seconds(ssh=own, openssh=own, scp=scp)

    rows = transfer.figures(Transfer(slow=seconds, loopback=seconds))

    assert [(row.value, row.met) for row in rows] == [("0.8x", False), ("0.8x", None), ("0.8x", None), ("0.8x", False)]
    assert "start of the agent 0.708x" in rows[0].note
