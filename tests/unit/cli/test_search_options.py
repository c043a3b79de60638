"""What people write for `edgekit search`: goals, limits, workers; and what 80 columns show of a result."""

from __future__ import annotations

import copy
import os

import click
import pytest
from click.testing import CliRunner

from edgekit.cli import _render_search
from edgekit.cli._search_options import crew, goals_from, limits_from
from edgekit.cli.search import _command, _pod_command
from edgekit.cli.search import command as search_command
from edgekit.core.errors import UsageError
from edgekit.core.search.goals import Goal, Limit
from tests.unit.report.documents import SEARCH


@pytest.fixture(autouse=True)
def _narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


def drawn(document, draw=_render_search.search) -> tuple[str, str]:
    """What is drawn on stdout and on stderr."""
    ended = CliRunner().invoke(click.Command("x", callback=lambda: draw(document)), [])
    assert ended.exception is None, ended.exception
    return ended.stdout, ended.stderr


@pytest.mark.parametrize(
    ("text", "metric", "most"),
    [
        ("ram_bytes=64KiB", "ram_bytes", 65_536), ("ram=4096", "ram_bytes", 4096), ("latency=20ms", "latency_ns", 2e7),
        ("instructions=2e6", "instructions", 2e6), ("drop=1%", "accuracy_drop", 0.01),
        ("accuracy_drop=0.005", "accuracy_drop", 0.005),
    ],
)  # fmt: skip
def test_limit_is_taken_with_its_unit(text, metric, most):
    assert limits_from([text], []) == (Limit(metric=metric, most=most, source="--at-most"),)


def test_help_says_what_a_search_does_with_the_accuracy_budget():
    said = " ".join(CliRunner().invoke(search_command, ["--help"]).stdout.split())

    assert "A constraint like --at-most: a point that loses more" in said
    assert "left in float" not in said


def test_least_accuracy_is_a_limit():
    assert limits_from([], ["accuracy=97%"]) == (Limit(metric="accuracy", most=0.97, source="--at-least"),)


@pytest.mark.parametrize(
    ("at_most", "at_least", "said", "hint"),
    [
        (["ram"], [], "has no value", "--at-most ram_bytes=64KiB"),
        (["rma=1"], [], "no metric 'rma'", "did you mean 'ram'"),
        (["ram=5 parsecs"], [], "not a size", "64KiB"),
        (["latency=-1ms"], [], "not a duration", "20ms"),
        (["macs=many"], [], "not a number", "2e6"),
        (["macs=nan"], [], "not a finite number", ""),
        (["macs=1e999"], [], "not a finite number", ""),
        (["accuracy=0.9"], [], "more is better", "--at-least accuracy=0.9"),
        ([], ["ram=1KiB"], "less is better", "--at-most ram=1KiB"),
    ],
)
def test_limit_that_is_none_says_what_to_write(at_most, at_least, said, hint):
    with pytest.raises(UsageError, match=said) as raised:
        limits_from(at_most, at_least)

    assert hint in str(raised.value.hint)


def test_goals_are_taken_by_their_short_names_and_once():
    assert goals_from(["accuracy", "flash"]) == (Goal(metric="accuracy"), Goal(metric="flash_bytes"))
    with pytest.raises(UsageError, match="flash_bytes twice"):
        goals_from(["flash", "flash_bytes"])


def test_crew_is_a_number_of_processes_or_a_ray_cluster():
    assert crew("2", None) == (2, None)
    assert crew("4", "10.0.0.5:6379") == (4, "10.0.0.5:6379")
    assert crew("ray", None) == (os.cpu_count(), "local")


@pytest.mark.parametrize("text", ["0", "-1", "two", "1.5", "99999999"])
def test_crew_that_is_none_is_refused(text):
    with pytest.raises(UsageError, match="no number of processes"):
        crew(text, None)


def test_front_is_shown_within_80_columns():
    shown, notes = drawn(SEARCH)

    lines = shown.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0].rstrip() == "cortex_m4, emulated: 7 points that nothing tried beats"
    assert lines[1].split() == ["trial", "accuracy", "instructions", "flash", "RAM", "settings"]
    assert lines[2].split() == ["2", "99.05", "%", "4,210,000", "62.5", "KiB", "12.0", "KiB", "prune.sparsity", "0"]
    assert "all: quantize int8, optimize speed" in lines
    assert "62 trials: 40 complete, 14 infeasible, 7 pruned, 1 failed" in lines
    assert "this call took 600 s; devices and emulators worked for 164 s" in lines
    assert "RAM at most 64.0 KiB (the board) excluded 3" in lines
    assert "1 failed, trial 61: ValueError: negative dimension" in lines
    assert notes == ""


def test_many_settings_are_folded_and_nothing_is_cut():
    document = copy.deepcopy(SEARCH)
    for place, point in enumerate(document["front"]):
        point["params"] = {f"layer.sequential_1/conv2d_{n}.precision": f"int{place}" for n in range(3)}

    shown, _ = drawn(document)

    assert max(map(len, shown.splitlines())) <= 80
    assert "layer.sequential_1/conv2d_2.precision" in "".join(shown.split())
    assert "\N{HORIZONTAL ELLIPSIS}" not in shown


def test_picks_are_shown_with_the_commands_that_deploy_them():
    shown, _ = drawn(SEARCH, _render_search.picks)

    assert shown.splitlines() == [
        "",
        "smallest, fastest (trial 20):",
        "  edgekit deploy --from-search lenet5-cortex_m4.search --pick smallest --eval-data test.npz",
        "balanced (trial 8):",
        "  edgekit deploy --from-search lenet5-cortex_m4.search --pick balanced --eval-data test.npz",
        "all points, with their commands: lenet5-cortex_m4.search/search.html",
    ]


def test_reasons_of_failed_trials_are_told_once_each_and_cannot_steer_the_terminal():
    document = copy.deepcopy(SEARCH)
    failed = {"state": "failed", "reason": "ValueError: \x1b[31mno\nTraceback"}
    others = [{"trial": n, "state": "refused", "reason": f"reason {n}"} for n in range(5)]
    document["tried"] = [*({"trial": n, **failed} for n in range(9)), *others]

    shown, _ = drawn(document)

    assert "9 failed, such as trial 0: ValueError: \\x1b[31mno\n" in shown
    assert "3 more failed or were refused for other reasons" in shown
    assert "Traceback" not in shown


def test_device_that_was_left_out_and_warnings_are_notes():
    left_out = {"name": "pi", "left_out": "failed 3 times in a row, last: no route"}

    shown, notes = drawn({**SEARCH, "devices": [left_out], "warnings": ["a worker died"]})

    assert "left out" not in shown
    assert notes.splitlines() == [
        "note: pi was left out: failed 3 times in a row, last: no route", "note: a worker died",
    ]  # fmt: skip


def test_nothing_is_drawn_of_an_empty_front_but_why():
    document = {**SEARCH, "front": [], "picks": {}}

    shown, _ = drawn(document)

    assert shown == "1 failed, trial 61: ValueError: negative dimension\n"
    assert drawn(document, _render_search.picks)[0] == ""


def test_pods_of_a_cluster_run_the_command_without_what_is_a_matter_of_the_cluster(monkeypatch):
    words = "search m.keras --trials 5 -t host --workers=2 --resume --export-katib k.json --max-drop 0.01 --json"
    monkeypatch.setattr("sys.argv", ["edgekit", *words.split(), "--storage", "postgresql://me:pw@db/x"])

    assert _pod_command() == ["edgekit", "search", "m.keras", "-t", "host", "--max-drop", "0.01"]


def test_kept_command_holds_no_password(monkeypatch):
    urls = ["--mlflow", "https://me:pw@ml/", "--storage", "postgresql://me:pw@db/x?password=pw"]
    monkeypatch.setattr("sys.argv", ["edgekit", "search", *urls])

    assert _command() == [
        "edgekit", "search", "--mlflow", "https://me@ml/", "--storage", "postgresql://me@db/x",
    ]  # fmt: skip
