"""What was measured, raw, with the facts that make it comparable; statistics are computed from it when asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edgekit.core.answers import Answers
    from edgekit.core.class_accuracy import ClassAccuracy
    from edgekit.core.paired_verdict import PairedVerdict

BRIEF = "brief"
"""The mode of a deploy: as many processes and calls as the plan says, and nothing else."""


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
    """Nothing is against the number."""

    NOISY = "NOISY"
    """It varies between processes, or something else ran meanwhile."""

    THROTTLED = "THROTTLED"
    """The clock, the heat or the supply held the machine back."""

    UNSTEADY = "UNSTEADY"
    """The warm-up never became steady."""

    SYNTHETIC = "SYNTHETIC"
    """The inputs were random."""

    EMULATED = "EMULATED"
    """An emulator ran it."""

    NONDETERMINISTIC = "NONDETERMINISTIC"
    """Two processes, or one and an accuracy run, gave different outputs for the same inputs."""

    INVALID = "INVALID"
    """Decide nothing by it."""


@dataclass(frozen=True, kw_only=True)
class Doubt:
    """Why a number is not simply valid.

    Attributes:
        flag: what it is flagged with.
        reason: one clause with the figure that was found.
    """

    flag: Validity
    reason: str


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
        seed: chooses the inputs, and the order of what is measured in turn.
        mode: name of the mode that these figures belong to; BRIEF runs all processes in one request and looks at the
            machine neither before nor between them.
        most_processes: processes are added up to so many until the interval is narrow enough; None never adds one.
        half_width: half the width of the median's interval that is narrow enough, as a share of the median.
        steady_cap_s: limit of a warm-up that goes on until it is steady; None counts `warmup` calls only.
        sentinel: time a fixed piece of work before and after each process.
        affinity: cores that the process is pinned to; empty leaves it to the mode.
        stages: time the quantization of inputs and the reading of outputs apart.
        operators: measure each operator in processes of their own.
        instructions: count instructions where the device can.
        window_s: length of a window of the sustained curve; None keeps no curve.
        batch_ns: very short calls are timed together until a sample takes so long; None times each on its own.
        own_input: each process gets one input of its own instead of all of them.
        wait_s: longest wait for a machine that is hot or busy before the start, and after a disturbed process.
        strict: a machine that is not fit to be measured is an error instead of a doubt.
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
    mode: str = BRIEF
    most_processes: int | None = None
    half_width: float = 0.01
    steady_cap_s: float | None = None
    sentinel: bool = False
    affinity: tuple[int, ...] = ()
    stages: bool = False
    operators: bool = False
    instructions: bool = False
    window_s: float | None = None
    batch_ns: int | None = None
    own_input: bool = False
    wait_s: float = 0.0
    strict: bool = False

    @property
    def is_brief(self) -> bool:
        """Whether the processes run in one request, with no look at the machine."""
        return self.mode == BRIEF


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """The state of the machine at one moment; None or empty for what cannot be read.

    Attributes:
        monotonic_ns, realtime_ns: CLOCK_MONOTONIC and CLOCK_REALTIME, read together.
        cpu_ns: CPU time that the process which tells this has used; the rest of `busy_ticks` is the work of others.
        busy_ticks, all_ticks: of /proc/stat, summed over the cores that the process may use.
        swapped_pages: pages swapped in and out since the boot (/proc/vmstat pswpin + pswpout).
        available_bytes: MemAvailable.
        load: the load average of one minute.
        temperature_c: of the hottest zone.
        frequency_khz: of each core that the process may use, by its number.
        throttled: bits of vcgencmd get_throttled.
    """

    monotonic_ns: int
    realtime_ns: int
    cpu_ns: int | None = None
    busy_ticks: int | None = None
    all_ticks: int | None = None
    swapped_pages: int | None = None
    available_bytes: int | None = None
    load: float | None = None
    temperature_c: float | None = None
    frequency_khz: Mapping[str, int] = field(default_factory=dict)
    throttled: int | None = None


@dataclass(frozen=True, kw_only=True)
class Window:
    """A stretch of a sustained run.

    Attributes:
        samples: how many of the run's samples end in it.
        conditions: at its end.
    """

    samples: int
    conditions: Conditions


@dataclass(frozen=True, kw_only=True)
class ProcessRun:
    """One fresh process: times in nanoseconds, in the order in which they were taken.

    Attributes:
        import_ns, load_ns, first_ns: import of the runtime, load of the model, first call.
        warmup_ns, samples_ns: calls that are not counted, and that are.
        cold: whether the model's file had been dropped from the page cache before it was loaded; None: nobody asked.
        steady: whether the warm-up became steady; None: it was a count of calls.
        batch: calls that each sample is the mean of.
        timer_ns: cost of reading the clock twice.
        sentinel_ns: the fixed piece of work before and after; None without it.
        sentinel_rounds: how much work that was.
        switches: involuntary context switches during the counted calls.
        before, after: state of the machine; None from an agent that does not tell it.
        stages_ns: samples of the stages around a call, by name.
        outputs_sha256: digest of the outputs of the first inputs; None where nobody asked.
        windows: of a sustained run.
    """

    import_ns: int
    load_ns: int
    first_ns: int
    warmup_ns: tuple[int, ...]
    samples_ns: tuple[int, ...]
    cold: bool | None = None
    steady: bool | None = None
    batch: int = 1
    timer_ns: int | None = None
    sentinel_ns: tuple[int, int] | None = None
    sentinel_rounds: int | None = None
    switches: int | None = None
    before: Conditions | None = None
    after: Conditions | None = None
    stages_ns: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    outputs_sha256: str | None = None
    windows: tuple[Window, ...] = ()


@dataclass(frozen=True, kw_only=True)
class OperatorRun:
    """One operator of the model, in the order in which it runs.

    Attributes:
        name: of the tensor or node, as the runtime tells it.
        op: kind of operator.
        ns: its median time in each process that profiled; empty where only instructions are known.
        instructions: that it took, exact under emulation; None where nobody counted.
    """

    name: str
    op: str
    ns: tuple[int, ...] = ()
    instructions: int | None = None


@dataclass(frozen=True, kw_only=True)
class InstructionCount:
    """Instructions of one call.

    Attributes:
        value: the median call's.
        low, high: least and most of all calls.
        calls: that were counted.
        exact: an emulator counted, so the same build gives the same count.
        source: what counted: "perf" or the name of an emulator.
    """

    value: int
    low: int
    high: int
    calls: int
    exact: bool
    source: str


@dataclass(frozen=True, kw_only=True)
class Memory:
    """Peak memory of a process of its own.

    Attributes:
        baseline_rss_bytes: resident after the imports, before the model (VmRSS).
        peak_rss_bytes: highest resident size after the peak was reset (VmHWM).
        pss_bytes: proportional set size after the runs (smaps_rollup); None where the kernel does not tell it.
        private_bytes: of these, what no other process shares.
        swap_bytes: swapped out.
        arena_bytes: what the runtime's own planner took.
        file_bytes: size of the artifact.
    """

    baseline_rss_bytes: int
    peak_rss_bytes: int
    pss_bytes: int | None = None
    private_bytes: int | None = None
    swap_bytes: int | None = None
    arena_bytes: int | None = None
    file_bytes: int | None = None


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
        environment: facts of the machine before and after, and what was checked (`accuracy_run`, `one_input`).
        doubts: why it has its flags.
        memories: one entry for each process that was weighed; `memory` is the one with the median peak.
        operators: time or instructions of each operator; empty with `operators_reason`.
        instructions: of one call; None with `instructions_reason`.
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
    doubts: tuple[Doubt, ...] = ()
    memories: tuple[Memory, ...] = ()
    operators: tuple[OperatorRun, ...] = ()
    operators_reason: str | None = None
    instructions: InstructionCount | None = None
    instructions_reason: str | None = None


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
        paired: what was lost against the float model on the same samples; None where one of them has no answers.
        per_class: the accuracy of each class; empty for a model that does not classify.
        answers: the device's, for a comparison with other runs on the same set; None as for `paired`.
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
    paired: PairedVerdict | None = None
    per_class: tuple[ClassAccuracy, ...] = ()
    answers: Answers | None = None
