"""Whether two runs may be held against each other: what differs between them, and which figures that blocks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edgekit.core.measurement import Measurement, Validity

LATENCY, MEMORY, INSTRUCTIONS, OPERATORS, ACCURACY = "latency", "memory", "instructions", "operators", "accuracy"
_ON_DEVICE = (LATENCY, MEMORY, INSTRUCTIONS, OPERATORS)
_TIMES = (LATENCY, OPERATORS)

_RULES: Mapping[str, tuple[tuple[str, ...], str]] = {
    "device": (_ON_DEVICE, "two devices are two machines"),
    "provenance": (_ON_DEVICE, "an emulator's figures are not the machine's"),
    "board": (_ON_DEVICE, "this is another board"),
    "machine": (_ON_DEVICE, "this is another architecture"),
    "cpu": (_ON_DEVICE, "this is another processor"),
    "cores": (_TIMES, "the process had other cores to run on"),
    "isolated_cores": (_TIMES, "the process had other cores to itself"),
    "kernel": (_TIMES, "another kernel schedules otherwise"),
    "governor": (_TIMES, "the clock was governed otherwise"),
    "governors": (_TIMES, "the clock was governed otherwise"),
    "cgroup": (_ON_DEVICE, "the process was limited otherwise"),
    "python": (_TIMES, "another interpreter calls the runtime"),
    "agent": (_TIMES, "another agent timed it"),
    "runtime": (_ON_DEVICE, "another runtime ran it"),
    "runtime_versions": (_ON_DEVICE, "another version of the runtime ran it"),
    "kernels": (_ON_DEVICE, "other kernels ran it"),
    "format": (_ON_DEVICE, "the artifacts are of two formats"),
    "threads": (_ON_DEVICE, "it had another number of threads"),
    "affinity": (_TIMES, "it was pinned to other cores"),
    "mode": (_TIMES, "it was warmed up and measured otherwise"),
    "inputs": ((), "random inputs take another way through a model at times"),
    "dataset": ((ACCURACY,), "the samples are not the same"),
    "metric": ((ACCURACY,), "the answers were judged by two metrics"),
    "artifact": ((), "the artifacts differ, as they should where two are compared"),
}
"""What each difference blocks, and why it matters; the most telling first."""


@dataclass(frozen=True, kw_only=True)
class Difference:
    """Something that the two runs do not share.

    Attributes:
        what: a key of the rules.
        a, b: of the first and of the second run.
        blocks: figures of which no verdict is given; empty where it is only told.
        reason: one clause.
    """

    what: str
    a: Any
    b: Any
    blocks: tuple[str, ...]
    reason: str

    def as_json(self) -> dict[str, Any]:
        """The difference in a document."""
        return {**vars(self), "blocks": list(self.blocks)}


def differences(a: Mapping[str, Any], b: Mapping[str, Any]) -> tuple[Difference, ...]:
    """What differs between two runs, in the order of the rules; what only one of them tells does not count.

    Args:
        a, b: as `facts` returns them.
    """
    return tuple(_differences(a, b))


def _differences(a: Mapping[str, Any], b: Mapping[str, Any]) -> Iterator[Difference]:
    for what, (blocks, reason) in _RULES.items():
        if what in a and what in b and a[what] != b[what]:
            yield Difference(what=what, a=a[what], b=b[what], blocks=blocks, reason=reason)
    for side, facts in (("a", a), ("b", b)):
        if Validity.INVALID in facts.get("validity", ()):
            yield Difference(
                what=f"validity_of_{side}", a=list(a.get("validity", ())), b=list(b.get("validity", ())),
                blocks=_TIMES, reason=f"run {side} is INVALID: measure again",
            )  # fmt: skip


def refusals(found: Sequence[Difference], figures: Sequence[str]) -> dict[str, str]:
    """For each figure that is blocked, why.

    Args:
        found: all differences.
        figures: that both runs have.
    """
    reasons: dict[str, list[str]] = {}
    for difference in found:
        for figure in difference.blocks:
            if figure in figures:
                reasons.setdefault(figure, []).append(f"{difference.what}: {difference.reason}")
    return {figure: "; ".join(said) for figure, said in reasons.items()}


def facts(document: Mapping[str, Any], measurement: Measurement | None) -> dict[str, Any]:
    """What makes a run comparable, as far as it is known.

    Args:
        document: of the run, in the form of a deploy's: what was measured under "profile", answers under "evaluation".
        measurement: its raw samples; None where nothing was measured.
    """
    found: dict[str, Any] = {}
    evaluation = document.get("evaluation") or {}
    if evaluation:
        metric = evaluation.get("metric") or {}
        found |= {"dataset": evaluation.get("dataset_sha256"), "metric": metric.get("name", "top1")}
        found |= {"artifact": evaluation.get("artifact_sha256")}
    if (model_format := (document.get("artifact") or {}).get("format")) is not None:
        found["format"] = model_format
    if measurement is None:
        profile = document.get("profile") or {}
        named = {"device": "device", "provenance": "provenance", "artifact": "artifact_sha256"}
        return found | {name: profile[key] for name, key in named.items() if key in profile}
    told, plan = measurement.environment.get("before", {}), measurement.plan
    runtime = told.get("runtime")
    found |= {
        name: told[name]
        for name in ("board", "machine", "cpu", "cores", "isolated_cores", "kernel", "governor", "governors", "cgroup",
                     "python")
        if told.get(name) is not None
    }  # fmt: skip
    if runtime is not None:
        found["runtime_versions"] = runtime
    if measurement.environment.get("agent") is not None:
        found["agent"] = measurement.environment["agent"]
    return found | {
        "device": measurement.device,
        "provenance": str(measurement.provenance),
        "runtime": plan.runtime,
        "kernels": plan.kernels,
        "threads": plan.threads,
        "affinity": list(plan.affinity),
        "mode": plan.mode,
        "inputs": "random" if Validity.SYNTHETIC in measurement.validity else "real",
        "artifact": measurement.artifact_digest,
        "validity": tuple(measurement.validity),
    }
