"""Arguments of `scripts/bench`, and what it does when a benchmark cannot run here."""

from __future__ import annotations

import json
from dataclasses import dataclass
from types import SimpleNamespace

import pytest

from benchmarks import _command
from benchmarks._figures import BEGIN, END, Figure
from benchmarks._missing import CannotRun


@dataclass(frozen=True, kw_only=True)
class Raw:
    runs: int


@pytest.fixture
def benchmarks(monkeypatch: pytest.MonkeyPatch, tmp_path) -> list[tuple[str, int]]:
    """Stand-ins for the benchmarks; the list tells which ran with how many runs. `transfer` cannot."""
    ran: list[tuple[str, int]] = []

    def stand_in(module: str) -> SimpleNamespace:
        name = module.removeprefix("benchmarks.")

        def measure(runs: int):
            if name == "transfer":
                raise CannotRun("needs root")
            ran.append((name, runs))
            return Raw(runs=runs)

        return SimpleNamespace(RUNS=7, measure=measure, figures=lambda found: (Figure(what=name, value="1 s"),))

    monkeypatch.setattr(_command, "importlib", SimpleNamespace(import_module=stand_in))
    monkeypatch.setattr(_command.signal, "signal", lambda *_: None)
    monkeypatch.setattr(_command, "DOCUMENT", tmp_path / "benchmarks.md")
    (tmp_path / "benchmarks.md").write_text(f"# Benchmarks\n{BEGIN}\n{END}\n")
    return ran


@pytest.mark.parametrize("arguments", [[], ["nonsense"], ["help", "--runs", "0"], ["help", "--runs", "many"]])
def test_wrong_arguments_end_with_status_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        _command.main(arguments)

    assert stop.value.code == 2
    assert "usage: scripts/bench" in capsys.readouterr().err


def test_runs_default_to_the_benchmarks_own(benchmarks) -> None:
    assert _command.main(["help"]) == 0
    assert _command.main(["help", "--runs", "3"]) == 0
    assert benchmarks == [("help", 7), ("help", 3)]


def test_json_is_one_document_on_stdout(benchmarks, capsys: pytest.CaptureFixture[str]) -> None:
    _command.main(["compile", "--json"])

    document = json.loads(capsys.readouterr().out)
    assert list(document["benchmarks"]) == ["compile"]


def test_a_benchmark_that_cannot_run_says_why(benchmarks, capsys: pytest.CaptureFixture[str]) -> None:
    assert _command.main(["transfer"]) == 1

    assert capsys.readouterr().err == "transfer: needs root\n"


def test_all_writes_the_page_and_names_what_was_left_out(benchmarks) -> None:
    assert _command.main(["all"]) == 1

    page = _command.DOCUMENT.read_text()
    assert [name for name, _ in benchmarks] == [name for name in _command.NAMES if name != "transfer"]
    assert "| help | 1 s |" in page
    assert "Not measured here: transfer: needs root" in page
    assert page.startswith("# Benchmarks\n")
