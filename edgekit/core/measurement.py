"""What was measured, raw, with the facts that make it comparable; statistics are computed from it when asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Provenance(StrEnum):
    """Where a number comes from."""

    MEASURED = "measured"
    """On the machine that it speaks of."""

    EMULATED = "emulated"
    """On an emulator of that machine: results and sizes hold, times do not."""

    ESTIMATED = "estimated"
    """Computed by a model of the machine."""


class Validity(StrEnum):
    """Flags that travel with a number."""

    VALID = "VALID"
    NOISY = "NOISY"
    SYNTHETIC = "SYNTHETIC"
    EMULATED = "EMULATED"
    INVALID = "INVALID"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How to measure.

    Attributes:
        runtime: name of the runner.
        threads: of the runtime.
        processes: fresh processes; each is one replication.
        warmup: calls per process that are not counted.
        samples: counted calls per process, at least.
        min_seconds: counted calls per process go on at least this long.
        timeout_s: limit for one process.
        kernels: "default", "builtin" (no delegate) or "reference".
        seed: chooses the inputs.
    """

    runtime: str
    threads: int = 1
    processes: int = 5
    warmup: int = 10
    samples: int = 50
    min_seconds: float = 0.5
    timeout_s: float = 120.0
    kernels: str = "default"
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class ProcessRun:
    """One fresh process: times in nanoseconds, in the order in which they were taken."""

    import_ns: int
    load_ns: int
    first_ns: int
    warmup_ns: tuple[int, ...]
    samples_ns: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Memory:
    """Peak memory of a process of its own.

    Attributes:
        baseline_rss_bytes: resident after the imports, before the model (VmRSS).
        peak_rss_bytes: highest resident size after the peak was reset (VmHWM).
    """

    baseline_rss_bytes: int
    peak_rss_bytes: int


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """Latency and memory of one artifact on one device.

    Attributes:
        device: the device's name.
        artifact_digest: SHA-256 of the model file that ran.
        plan: how it was measured.
        runs: one entry a process.
        memory: None when it could not be measured; `memory_reason` says why.
        provenance: measured or emulated.
        validity: flags; VALID alone when nothing is against the numbers.
        environment: facts of the machine before and after.
    """

    device: str
    artifact_digest: str
    plan: Plan
    runs: tuple[ProcessRun, ...]
    memory: Memory | None
    memory_reason: str | None
    provenance: Provenance
    validity: tuple[Validity, ...]
    environment: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Accuracy:
    """Correct answers out of n, and who gave them.

    Attributes:
        correct, n: counts over the evaluation set.
        low, high: Wilson's 95 % interval of the accuracy.
        provenance: of the machine that computed the outputs.
    """

    correct: int
    n: int
    low: float
    high: float
    provenance: Provenance

    @property
    def value(self) -> float:
        """The share of correct answers."""
        return self.correct / self.n


@dataclass(frozen=True, kw_only=True)
class Score:
    """A metric that is not top-1, on a whole evaluation set.

    Attributes:
        metric: its name.
        value: in the metric's own unit.
        n: samples.
        low, high: 95 % interval: Wilson's for top-k, else the bootstrap's percentiles.
        lower_is_better: it is an error.
        is_share: its values are shares, 0 to 1.
        provenance: of the machine that computed the outputs.
    """

    metric: str
    value: float
    n: int
    low: float
    high: float
    lower_is_better: bool
    is_share: bool
    provenance: Provenance


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Accuracy of an artifact on a device beside the float model's, on one data set.

    Attributes:
        device: the device's name.
        artifact_digest: SHA-256 of the model file that ran on the device.
        dataset_digest: of the evaluation inputs and labels after preprocessing.
        accuracy: from the device's outputs; None without labels or for a model that does not classify.
        reference: the float model's on the host; None when there is no float model.
        agreement: share of samples on which device and host give the same answer for the same artifact.
        identical_outputs: samples whose raw outputs are equal bit for bit on device and host.
        max_abs_difference: largest difference of a raw output value between device and host.
        n: number of samples.
        seconds: time of the device's loop over the set.
        provenance: measured or emulated.
        score: the metric that was asked for, from the device's outputs; None for top-1, which is the accuracy.
        reference_score: the float model's on the host; None as for `reference`.
    """

    device: str
    artifact_digest: str
    dataset_digest: str
    accuracy: Accuracy | None
    reference: Accuracy | None
    agreement: float | None
    identical_outputs: int | None
    max_abs_difference: float | None
    n: int
    seconds: float
    provenance: Provenance
    score: Score | None = None
    reference_score: Score | None = None
