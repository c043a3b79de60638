"""What a gate is asked for, and what it found on one device."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edgekit.core.answers import Answers
from edgekit.core.dataset import Dataset
from edgekit.core.device_entry import DeviceEntry
from edgekit.core.measurement import Measurement, Plan
from edgekit.core.metric import TOP_1, Metric
from edgekit.core.regression import Comparison
from edgekit.flows.gating.baseline import Baseline
from edgekit.flows.gating.comparability import Difference, Setting
from edgekit.flows.gating.findings import Finding
from edgekit.flows.measured_document import profile_document
from edgekit.flows.measuring.pair import Pair
from edgekit.flows.subject import Subject

_EMULATED_PROCESSES = 3
_EMULATED_S = 0.5


@dataclass(frozen=True, kw_only=True)
class GateRequest:
    """What is gated on each device.

    Attributes:
        model: a bundle or a model file that a runtime loads as it is.
        plan: how to measure.
        data: the evaluation set; None leaves the accuracy out.
        metric: what answers are judged by.
        reference: a float `.tflite`, for the budget of the accuracy; None: there is none.
        timeout_s: limit for the loop over the evaluation set.
        offline: download nothing.
        times_emulators: an emulator's times are judged too, by as many processes as the plan says.
    """

    model: Path
    plan: Plan
    data: Dataset | None = None
    metric: Metric = TOP_1
    reference: Path | None = None
    timeout_s: float = 3600.0
    offline: bool = False
    times_emulators: bool = False

    def plan_on(self, entry: DeviceEntry) -> Plan:
        """How to measure on a device: a few processes on an emulator, where exact counts decide and not times."""
        if not entry.is_emulated or self.times_emulators:
            return self.plan
        return replace(
            self.plan, processes=_EMULATED_PROCESSES, most_processes=None, min_seconds=_EMULATED_S,
            steady_cap_s=_EMULATED_S, wait_s=0.0,
        )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Gated:
    """What was found on one device.

    Attributes:
        entry: the device.
        subject: the build.
        setting: on what and with what it was measured.
        profile: the build's figures, as `edgekit profile --json` prints them.
        measurement: their raw samples; None for a microcontroller, whose figures are exact.
        answers: to the evaluation set; None without one.
        baseline: what it was held against; None for budgets alone.
        pair: both measured in turn; None where there is no baseline, or it is not comparable.
        differences: between then and now.
        findings: before several tests are taken together.
        seconds: that it took.
    """

    entry: DeviceEntry
    subject: Subject
    setting: Setting
    profile: Mapping[str, Any]
    measurement: Measurement | None
    answers: Answers | None
    baseline: Baseline | None
    pair: Pair | None
    differences: tuple[Difference, ...]
    findings: tuple[Finding, ...]
    seconds: float

    def as_json(self) -> dict[str, Any]:
        """The device's part of `edgekit gate --json`."""
        first = None if self.pair is None else self.pair.first
        return {
            "device": self.entry.name,
            "target": self.setting.target,
            "provenance": self.profile["provenance"],
            "flags": list(self.profile["validity"]),
            "seconds": round(self.seconds, 3),
            "setting": self.setting.as_json(),
            "comparability": [difference.as_json() for difference in self.differences],
            "measurement": dict(self.profile),
            "baseline_measurement": None if first is None else profile_document(first),
            "comparison": None if self.pair is None else _comparison(self.pair.comparison),
            "comparison_reason": None if self.pair is None else self.pair.reason,
            "baseline": None if self.baseline is None else _kept(self.baseline),
            "error": None,
        }


def _comparison(found: Comparison | None) -> dict[str, Any] | None:
    return None if found is None else {**vars(found), "change": str(found.change), "n": list(found.n)}


def _kept(baseline: Baseline) -> dict[str, Any]:
    return {
        "name": baseline.name,
        "device": baseline.device,
        "created_utc": baseline.created_utc,
        "artifact_sha256": baseline.artifact.digest,
        "size_bytes": baseline.artifact.size_bytes,
        "floor": baseline.floor,
    }
