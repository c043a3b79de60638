"""Counting instructions: what the counts of two processes amount to, and why there are none."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from device_agents.linux import instructions, operators
from device_agents.linux.worker import Outcome

OK = {"exit": "ok", "signal": None, "message": None, "max_rss_bytes": 1}


class Children:
    """Starts children that answer what they are told to."""

    def __init__(self, *results: dict[str, Any] | None) -> None:
        self._results = list(results)
        self.launchers: list[Sequence[str]] = []

    def start(self, launcher: Sequence[str] = ()) -> Outcome:
        self.launchers.append(launcher)
        result = self._results.pop(0)
        return Outcome(OK if result is not None else dict(OK, exit="oom", message="memory ran out"), result, None)


def counted(*counts: int, source: str = "qemu") -> dict[str, Any]:
    return {"counts": list(counts), "source": source, "reason": None}


@pytest.fixture
def counter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    path = tmp_path / "count"
    path.touch(0o755)
    monkeypatch.setenv(instructions.VARIABLE, str(path))
    return str(path)


def test_count_that_two_processes_agree_on_is_exact(counter: str) -> None:
    children = Children(counted(100, 103, 101), counted(100, 103, 101))

    found = instructions.measure(children.start)

    assert found["instructions"] == {
        "value": 101, "low": 100, "high": 103, "calls": 6, "exact": True, "source": "qemu"
    }  # fmt: skip
    assert children.launchers == [[counter], [counter]]


def test_count_that_differs_between_processes_is_not_exact(counter: str) -> None:
    found = instructions.measure(Children(counted(100, 101, 102), counted(105, 106, 107)).start)

    assert found["instructions"]["exact"] is False
    assert found["instructions"]["value"] == 105


def test_count_of_perf_is_not_exact_and_starts_no_counter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(instructions.VARIABLE, raising=False)
    children = Children(counted(100, source="perf"), counted(100, source="perf"))

    found = instructions.measure(children.start)

    assert (found["instructions"]["exact"], found["instructions"]["source"]) == (False, "perf")
    assert children.launchers == [[], []]


def test_emulator_without_its_counter_is_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(instructions.VARIABLE, str(tmp_path / "missing"))
    children = Children()

    found = instructions.measure(children.start)

    assert found["instructions"] is None
    assert "has no counter" in found["instructions_reason"]
    assert children.launchers == []


def test_child_that_fails_is_the_reason(counter: str) -> None:
    found = instructions.measure(Children(counted(1), None).start)

    assert found == {"instructions": None, "instructions_reason": "memory ran out"}


def test_counter_that_does_not_answer_is_the_reason() -> None:
    session: Any = SimpleNamespace(run=lambda values: values)

    found = instructions.count(session, [(1,)], counted=True)

    assert found["reason"] == "the emulator's counter does not answer"


def test_what_counting_costs_itself_is_taken_off(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = 0

    def read() -> int:
        nonlocal ticks
        ticks += 7
        return ticks

    def run(values: tuple[int]) -> None:
        nonlocal ticks
        ticks += values[0]

    monkeypatch.setattr(instructions, "_emulator", lambda: read)
    session: Any = SimpleNamespace(run=run)

    found = instructions.count(session, [(100,), (200,)], counted=True)

    assert found["counts"] == [100, 200, 100, 200, 100, 200, 100, 200, 100]


def test_calls_that_cost_much_are_fewer(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    monkeypatch.setattr(instructions, "_emulator", lambda: lambda: 10**9 * len(calls))
    session: Any = SimpleNamespace(run=lambda values: calls.append(values[0]))

    found = instructions.count(session, [(1,)], counted=True)

    assert found["counts"] == [10**9] * 5
    assert len(calls) == 3 + 5


def test_operators_get_a_time_from_each_process() -> None:
    profiles = ([{"name": "a", "op": "ADD", "ns": ns}] for ns in (5, 7, 6))

    found = operators.measure(Children(*({"operators": profile} for profile in profiles)).start)

    assert found == {"operators": [{"name": "a", "op": "ADD", "ns": [5, 7, 6]}], "operators_reason": None}


def test_operators_that_differ_between_processes_are_none() -> None:
    one, other = [{"name": "a", "op": "ADD", "ns": 1}], [{"name": "a", "op": "MUL", "ns": 1}]

    found = operators.measure(Children(*({"operators": profile} for profile in (one, other, one))).start)

    assert found == {"operators": [], "operators_reason": "two processes ran different operators"}
