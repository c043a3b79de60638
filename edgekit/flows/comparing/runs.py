"""Two stored runs: what makes them comparable, and what changed from the first to the second."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import median
from typing import Any

from edgekit.core.answers import Answers
from edgekit.core.errors import InputError
from edgekit.core.measurement import InstructionCount, Measurement
from edgekit.core.metric import Metric
from edgekit.core.paired import CONFIDENCE
from edgekit.core.paired_verdict import paired_verdict
from edgekit.core.regression import compare_medians, margin_of
from edgekit.flows.accuracy_document import paired_document
from edgekit.flows.comparing.comparability import (
    ACCURACY,
    INSTRUCTIONS,
    LATENCY,
    MEMORY,
    OPERATORS,
    differences,
    facts,
    refusals,
)
from edgekit.flows.comparing.figures import (
    instructions_document,
    latency_document,
    memory_document,
    operators_document,
)
from edgekit.flows.measuring.fingerprint import environment_sha256
from edgekit.flows.measuring.floor import kept_floor
from edgekit.flows.record import KeptRun

SESSIONS_MARGIN = 0.05
"""Two sessions on one device are only promised to agree within 5 % (edgekit-bench/1, D17)."""


def compare_runs(
    first: KeptRun, second: KeptRun, *, max_drop: float | None = None, confidence: float = CONFIDENCE
) -> dict[str, Any]:
    """What `edgekit compare RUN RUN --json` prints; the same two runs give the same document.

    Args:
        first, second: the second one is judged.
        max_drop: how much accuracy it may have lost; None takes the usual margin.
        confidence: how sure that has to be, one-sided.

    Raises:
        InputError: they have no figure in common.
    """
    parts = [run.page_document for run in (first, second)]
    answers = [_answers(part) for part in parts]
    counts = [_count(run, part) for run, part in zip((first, second), parts, strict=True)]
    figures = _common(first.measurement, second.measurement, counts, answers)
    if not figures:
        raise InputError(
            f"the runs {first.run_id} and {second.run_id} have no figure in common",
            hint="compare two that measured latency, or two that evaluated one data set",
        )
    sides = [facts(part, run.measurement) for part, run in zip(parts, (first, second), strict=True)]
    found = differences(sides[0], sides[1])
    refused = refusals(found, figures)
    document: dict[str, Any] = {
        "schema": "edgekit.compare/1",
        "runs": {"a": _described(first), "b": _described(second)},
        "provenance": sides[1].get("provenance"),
        "comparability": [difference.as_json() for difference in found],
        "refused": refused,
        "latency": None, "memory": None, "instructions": None, "operators": [], "accuracy": None,
    }  # fmt: skip
    given = [figure for figure in figures if figure not in refused]
    if first.measurement is not None and second.measurement is not None:
        document |= _measured(first.measurement, second.measurement, given)
    if INSTRUCTIONS in given:
        document[INSTRUCTIONS] = instructions_document(*counts)
    if ACCURACY in given:
        document[ACCURACY] = _accuracy(answers[0], answers[1], max_drop, confidence)
    return document


def _common(
    first: Measurement | None,
    second: Measurement | None,
    counts: list[InstructionCount | None],
    answers: list[Answers | None],
) -> list[str]:
    """Figures that both runs have."""
    figures = []
    if first is not None and second is not None:
        figures += [LATENCY] if first.runs and second.runs else []
        figures += [MEMORY] if first.memory and second.memory else []
        figures += [OPERATORS] if first.operators and second.operators else []
    return [*figures, *[INSTRUCTIONS] * (None not in counts), *[ACCURACY] * (None not in answers)]


def _count(run: KeptRun, part: Mapping[str, Any]) -> InstructionCount | None:
    """Instructions of one call; those of a board stand in the document alone."""
    if run.measurement is not None:
        return run.measurement.instructions
    told = (part.get("profile") or {}).get("instructions")
    if told is None:
        return None
    try:
        return InstructionCount(**told)
    except TypeError as cause:
        raise InputError(f"the instructions of run {run.run_id} are damaged", hint="profile again") from cause


def _measured(a: Measurement, b: Measurement, figures: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if LATENCY in figures:
        margin = max(SESSIONS_MARGIN, margin_of(kept_floor(b.device, environment_sha256(b))))
        comparison = compare_medians(_medians(a), _medians(b), margin=margin, seed=b.plan.seed)
        found[LATENCY] = latency_document(a, b, comparison, one_session=False)
    if MEMORY in figures:
        found[MEMORY] = memory_document(a, b)
    if OPERATORS in figures:
        found[OPERATORS] = operators_document(a, b)
    return found


def _accuracy(a: Answers | None, b: Answers | None, max_drop: float | None, confidence: float) -> dict[str, Any] | None:
    assert a is not None
    assert b is not None
    metric = Metric(name=a.metric)
    return paired_document(paired_verdict(a.losses(b), metric, max_drop=max_drop, confidence=confidence))


def _answers(part: Mapping[str, Any]) -> Answers | None:
    kept = (part.get("evaluation") or {}).get("answers")
    if kept is None:
        return None
    try:
        return Answers.from_json(kept)
    except (KeyError, TypeError, ValueError) as cause:
        raise InputError("the answers that a run kept are damaged", hint="evaluate again") from cause


def _described(run: KeptRun) -> dict[str, Any]:
    part = run.page_document
    told, measurement = part.get("profile") or part.get("evaluation") or {}, run.measurement
    return {
        "run_id": run.run_id,
        "created_utc": run.document.get("created_utc"),
        "command": run.document.get("command"),
        "device": measurement.device if measurement is not None else told.get("device"),
        "artifact_sha256": (measurement.artifact_digest if measurement is not None else told.get("artifact_sha256")),
    }


def _medians(measurement: Measurement) -> list[float]:
    return [median(run.samples_ns) for run in measurement.runs if run.samples_ns]
