"""The sample run that the tests of the report draw: a deployment to an emulated Raspberry Pi."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from edgekit.core.measurement import Measurement, Memory, Plan, ProcessRun, Provenance, Validity

GOLDEN = Path(__file__).parents[2] / "golden" / "report"


@pytest.fixture
def document() -> dict[str, Any]:
    return json.loads((GOLDEN / "run.json").read_text(encoding="utf-8"))


@pytest.fixture
def measurement() -> Measurement:
    raw = json.loads((GOLDEN / "measurement.json").read_text(encoding="utf-8"))
    times = ("warmup_ns", "samples_ns")
    return Measurement(
        device=raw["device"],
        artifact_digest=raw["artifact_digest"],
        plan=Plan(**raw["plan"]),
        runs=tuple(ProcessRun(**{**run, **{name: tuple(run[name]) for name in times}}) for run in raw["runs"]),
        memory=Memory(**raw["memory"]),
        memory_reason=raw["memory_reason"],
        provenance=Provenance(raw["provenance"]),
        validity=tuple(map(Validity, raw["validity"])),
        environment=raw["environment"],
    )
