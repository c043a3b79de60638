"""Measurements, pairs and baselines whose figures the test chooses."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgekit.core.answers import Answers
from edgekit.core.artifact import TensorSpec
from edgekit.core.measurement import (
    Doubt,
    InstructionCount,
    Measurement,
    Memory,
    Plan,
    ProcessRun,
    Provenance,
    Validity,
)
from edgekit.core.regression import compare_medians
from edgekit.flows.gating.baseline import Baseline, KeptArtifact
from edgekit.flows.gating.comparability import Setting
from edgekit.flows.measuring.pair import Pair

CALLS = 10


def medians(middle_ns: int, *, n: int = 20, spread: float = 0.01, seed: int = 0) -> list[int]:
    """Process medians round a value."""
    draws = np.random.default_rng(seed).normal(0, spread, n)
    return [round(middle_ns * (1 + draw)) for draw in draws]


def measurement(
    process_ns: Sequence[int] = (1_000_000, 1_001_000),
    *,
    digest: str = "a" * 64,
    device: str = "pi",
    flags: Sequence[Validity] = (Validity.VALID,),
    provenance: Provenance = Provenance.MEASURED,
    peaks: Sequence[int] = (50_000_000, 50_100_000, 50_200_000),
    instructions: InstructionCount | None = None,
    doubts: Sequence[Doubt] = (),
) -> Measurement:
    """One whose every process took the same time for each of its calls."""
    memories = tuple(Memory(baseline_rss_bytes=40_000_000, peak_rss_bytes=peak) for peak in peaks)
    return Measurement(
        device=device,
        artifact_digest=digest,
        plan=Plan(runtime="litert", processes=len(process_ns)),
        runs=tuple(
            ProcessRun(import_ns=9, load_ns=8, first_ns=7, warmup_ns=(), samples_ns=(time,) * CALLS)
            for time in process_ns
        ),
        memory=memories[len(memories) // 2] if memories else None,
        memory_reason=None if memories else "the device's kernel tells no peak (VmHWM)",
        memories=memories,
        provenance=provenance,
        validity=tuple(flags),
        environment={"before": {}, "after": {}},
        instructions=instructions,
        doubts=tuple(doubts),
    )


def pair(first: Measurement, second: Measurement, *, margin: float = 0.03) -> Pair:
    """Both held against each other."""
    sides = ([run.samples_ns[0] for run in one.runs] for one in (first, second))
    return Pair(first=first, second=second, comparison=compare_medians(*sides, margin=margin), reason=None)


def exact(value: int) -> InstructionCount:
    """As an emulator counts."""
    return InstructionCount(value=value, low=value, high=value, calls=5, exact=True, source="qemu")


def answers(right: int, wrong: int, *, dataset: str = "d" * 64) -> Answers:
    """The first ones right, the others wrong."""
    return Answers(metric="top1", dataset_digest=dataset, right=np.array([True] * right + [False] * wrong))


def setting(**changes: object) -> Setting:
    """A Raspberry Pi's."""
    facts = {
        "target": "rpi4", "machine": "aarch64", "cpu": "0x41 0xd08", "emulated": False, "runtime": "litert",
        "versions": {"ai-edge-litert": "2.3.0"}, "threads": 1, "kernels": "default", "fingerprint": "f" * 64,
        "dataset": "d" * 64, "metric": "top1",
    }  # fmt: skip
    return Setting(**{**facts, **changes})  # type: ignore[arg-type]


def baseline(artifact: bytes, digest: str, **changes: object) -> Baseline:
    """Of a file with this content."""
    specs = (TensorSpec(name="x", shape=(1, 4), dtype="float32"),)
    facts = {
        "name": "main", "device": "pi", "created_utc": "2026-11-22T15:00:00Z", "setting": setting(), "floor": 0.01,
        "answers": answers(97, 3), "checks": (), "measurement": {
            "latency_ns": {"median_of_processes": 1e6}, "validity": ["VALID"], "environment_sha256": "f" * 64,
        },
        "artifact": KeptArtifact(
            name="model.tflite", digest=digest, size_bytes=len(artifact), format="tflite", runtime="litert",
            inputs=specs, outputs=specs,
        ),
    }  # fmt: skip
    return Baseline(**{**facts, **changes})  # type: ignore[arg-type]
