"""One artifact of a measuring session, and the raw values that come in for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from statistics import median
from typing import Any

from edgekit.core.dataset import Dataset
from edgekit.core.device_entry import DeviceEntry
from edgekit.core.errors import MeasurementError
from edgekit.core.measurement import (
    Conditions,
    Doubt,
    InstructionCount,
    Measurement,
    Memory,
    OperatorRun,
    Plan,
    ProcessRun,
    Provenance,
)
from edgekit.data import check_against_model
from edgekit.device.client import DeviceClient
from edgekit.device.measured import MemoryRun
from edgekit.device.measured import ProcessRun as MeasuredRun
from edgekit.device.tensors import TensorRef
from edgekit.flows.measuring.checks import REPEATED_IN, SPOT_INPUTS, first_difference
from edgekit.flows.measuring.validity import doubts_after, flags_of
from edgekit.flows.samples import model_inputs, synthetic_inputs
from edgekit.flows.subject import Subject
from edgekit.flows.workspace import Workspace

NOT_ASKED = "it was not asked for"
INPUT_SAMPLES = 32
"""Different inputs that the calls cycle through (edgekit-bench/1, D4)."""


def provenance_of(entry: DeviceEntry) -> Provenance:
    """Emulated for a device that an emulator plays, measured for any other."""
    return Provenance.EMULATED if entry.is_emulated else Provenance.MEASURED


@dataclass(kw_only=True)
class Side:
    """What is measured, and what came of it so far.

    Attributes:
        subject: the artifact.
        inputs: for each process in turn, one staged tensor per input of the model.
        synthetic: they are random.
        spot: the first inputs of a data set, for an accuracy run beside the timing; empty for random ones.
        once: the first input alone.
        runs: the processes that count.
        outputs: for each process that told them, digests of its outputs for the first inputs.
        checks: what the checks found, for the environment; `check_doubts` what they have against the numbers.
        memories, memory_reason: of those that were weighed.
        environments: of the device, in the order in which it told them.
        operators, operators_reason, instructions, instructions_reason: as in a measurement.
    """

    subject: Subject
    inputs: tuple[tuple[TensorRef, ...], ...]
    synthetic: bool
    spot: tuple[TensorRef, ...] = ()
    once: tuple[TensorRef, ...] = ()
    outputs: list[tuple[str, ...]] = field(default_factory=list)
    checks: dict[str, Any] = field(default_factory=dict)
    check_doubts: list[Doubt] = field(default_factory=list)
    runs: list[ProcessRun] = field(default_factory=list)
    memories: list[Memory] = field(default_factory=list)
    memory_reason: str | None = None
    environments: list[Mapping[str, Any]] = field(default_factory=list)
    operators: tuple[OperatorRun, ...] = ()
    operators_reason: str | None = NOT_ASKED
    instructions: InstructionCount | None = None
    instructions_reason: str | None = NOT_ASKED

    @property
    def medians(self) -> list[float]:
        """One a process, in nanoseconds."""
        return [median(run.samples_ns) for run in self.runs if run.samples_ns]

    def inputs_of(self, process: int) -> tuple[TensorRef, ...]:
        """What this process is given."""
        return self.inputs[process % len(self.inputs)]

    def doubts(self, entry: DeviceEntry, plan: Plan, preflight: Iterable[Doubt]) -> tuple[Doubt, ...]:
        """What is against the processes so far, `check_doubts` apart; arguments as for `measurement`."""
        differ = [first_difference(self.outputs[0], other) for other in self.outputs[1:]]
        return doubts_after(
            self.runs,
            plan,
            preflight=preflight,
            environments=self.environments,
            synthetic=self.synthetic,
            emulated=entry.is_emulated,
            differs_at=min((place for place in differ if place is not None), default=None),
        )

    def measurement(
        self,
        entry: DeviceEntry,
        plan: Plan,
        *,
        preflight: Iterable[Doubt],
        looked: Iterable[Conditions],
        discarded: int,
        agent: str,
    ) -> Measurement:
        """All of it as one value.

        Args:
            entry: the device.
            plan: how it was measured.
            preflight: what was wrong before the start.
            looked: the machine before the start.
            discarded: processes that were measured again.
            agent: digest of the device's agent.
        """
        doubts = (*self.doubts(entry, plan, preflight), *self.check_doubts)
        runtime = next((told["runtime"] for told in self.environments if told.get("runtime")), None)
        by_peak = sorted(self.memories, key=lambda memory: memory.peak_rss_bytes)
        return Measurement(
            device=entry.name,
            artifact_digest=self.subject.digest,
            plan=replace(plan, runtime=self.subject.runtime),
            runs=tuple(self.runs),
            memory=by_peak[len(by_peak) // 2] if by_peak else None,
            memory_reason=None if by_peak else self.memory_reason,
            provenance=provenance_of(entry),
            validity=flags_of(doubts),
            environment={
                "before": {**self.environments[0], "runtime": runtime},
                "after": {**self.environments[-1], "runtime": runtime},
                "preflight": [asdict(one) for one in looked],
                "discarded_processes": discarded,
                **self.checks,
                "agent": agent,
            },
            doubts=doubts,
            memories=tuple(self.memories),
            operators=self.operators,
            operators_reason=self.operators_reason,
            instructions=self.instructions,
            instructions_reason=self.instructions_reason,
        )


def side_of(device: DeviceClient, subject: Subject, plan: Plan, data: Dataset | None, tools: Workspace) -> Side:
    """Put the inputs of a subject on the device.

    Args:
        device: that has the subject.
        subject: what will be measured.
        plan: says how many inputs a process gets.
        data: real inputs; None takes random ones.
        tools: listener.
    """
    if data is None:
        inputs = synthetic_inputs(subject.inputs, n=INPUT_SAMPLES, seed=plan.seed)
    else:
        fitting = check_against_model(data, subject.inputs)
        inputs = model_inputs(fitting.representative(INPUT_SAMPLES, plan.seed), subject.inputs)
    rich = not plan.own_input and not plan.is_brief
    spot = tuple(array[:SPOT_INPUTS] for array in inputs) if rich and data is not None else ()
    once = tuple(array[:1] for array in inputs) if rich and plan.mode in REPEATED_IN else ()
    each = [tuple(array[i : i + 1] for array in inputs) for i in range(plan.processes)] if plan.own_input else [inputs]
    return Side(
        subject=subject,
        inputs=tuple(tuple(device.stage_tensor(array, on_event=tools.on_event) for array in one) for one in each),
        synthetic=data is None,
        spot=tuple(device.stage_tensor(array, on_event=tools.on_event) for array in spot),
        once=tuple(device.stage_tensor(array, on_event=tools.on_event) for array in once),
    )


def process_run(run: MeasuredRun, name: str) -> ProcessRun:
    """A process that ended well.

    Raises:
        MeasurementError: it did not.
    """
    facts = {key: value for key, value in vars(run).items() if key not in ("child", "outputs_each_sha256")}
    if run.child.exit != "ok" or None in (run.import_ns, run.load_ns, run.first_ns):
        raise MeasurementError(
            f"{name} ended by {run.child.exit}: {run.child.message}",
            hint="try the model with edgekit evaluate, or give it more memory or time",
            child=vars(run.child),
        )
    return ProcessRun(**facts)


def memory_of(run: MemoryRun) -> Memory | str:
    """What a process weighed, or why nobody knows."""
    if run.child.exit != "ok":
        return f"the process that was weighed ended by {run.child.exit}"
    if run.baseline_rss_bytes is None or run.peak_rss_bytes is None:
        return run.child.message or "the device's kernel tells no peak (VmHWM)"
    return Memory(**{key: value for key, value in vars(run).items() if key != "child"})
