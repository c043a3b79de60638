"""benchmarks/gate_repeats.py: what its verdicts become as rows."""

from __future__ import annotations

from benchmarks import gate_repeats
from benchmarks.gate_repeats import GateRepeats


def found(*verdicts: str, slow: str = "fail") -> GateRepeats:
    return GateRepeats(
        device="local",
        verdicts=verdicts,
        seconds=(20.0,) * len(verdicts),
        reasons=("latency_ns: +2.0% (-1.0% to +5.0%), allowed 3.0%",),
        planted={"accuracy": ("fail", ("accuracy",)), "slow": (slow, ())},
    )


def test_quiet_gate_that_finds_both_bugs_meets_its_goals() -> None:
    rows = gate_repeats.figures(found("pass", "pass", "inconclusive"))

    assert [row.met for row in rows] == [True, None, None, True, True]
    assert rows[0].value == "0 of 3"
    assert rows[1].value == "1 of 3"
    assert "latency_ns" in rows[1].note
    assert rows[3].value == "fail: accuracy"


def test_false_alarm_and_missed_bug_are_missed_goals() -> None:
    rows = gate_repeats.figures(found("pass", "fail", slow="inconclusive"))

    assert rows[0].met is False
    assert rows[-1].met is False
