"""Profile: latency and memory of a model on a device, raw, in fresh processes."""

from __future__ import annotations

from pathlib import Path
from statistics import median

from edgekit.core.dataset import Dataset
from edgekit.core.device_entry import DeviceEntry
from edgekit.core.errors import MeasurementError
from edgekit.core.events import OnEvent, ignore
from edgekit.core.measurement import Measurement, Memory, Plan, ProcessRun, Provenance, Validity
from edgekit.core.statistics import coefficient_of_variation
from edgekit.core.target import Target
from edgekit.data import check_against_model
from edgekit.device.client import DeviceClient, RunOptions
from edgekit.device.connect import connect
from edgekit.device.replies import MeasureResult
from edgekit.device.replies import ProcessRun as MeasuredRun
from edgekit.flows.runtime import ensure_runtime
from edgekit.flows.samples import model_inputs, synthetic_inputs
from edgekit.flows.subject import Subject, active_on, from_file
from edgekit.flows.workspace import Workspace, workspace

INPUT_SAMPLES = 32
"""Different inputs that the calls cycle through (edgekit-bench/1, D4)."""

_NOISY_CV = 0.03
"""Above this variation between processes a figure is called noisy (edgekit-bench/1, D9)."""


def provenance_of(entry: DeviceEntry) -> Provenance:
    """Emulated for a device that an emulator plays, measured for any other."""
    return Provenance.EMULATED if entry.is_emulated else Provenance.MEASURED


def profile_model(
    model: Path | None,
    entry: DeviceEntry,
    target: Target,
    *,
    plan: Plan,
    data: Dataset | None = None,
    offline: bool = False,
    on_event: OnEvent = ignore,
) -> tuple[Subject, Measurement]:
    """Connect, make sure that the device has model and runtime, and measure.

    Args:
        model: a bundle or a model file; None takes what is active on the device.
        entry: the device.
        target: its kind.
        plan: how to measure; its runtime is replaced by the subject's.
        data: real inputs; None takes random ones, and the result says SYNTHETIC.
        offline: download nothing.
        on_event: listener.

    Raises:
        MeasurementError: the model crashed or hung while it was measured.
    """
    with workspace(on_event) as tools, connect(entry) as device:
        subject = active_on(device) if model is None else from_file(model, target, tools)
        ensure_runtime(device, subject.runtime, offline=offline, tools=tools)
        subject.stage(device, tools)
        return subject, measure(device, entry, subject, plan=plan, data=data, tools=tools)


def measure(
    device: DeviceClient, entry: DeviceEntry, subject: Subject, *, plan: Plan, data: Dataset | None, tools: Workspace
) -> Measurement:
    """Measure a subject that the device has.

    Raises:
        MeasurementError: a process crashed, hung or was killed for its memory.
    """
    if data is None:
        inputs = synthetic_inputs(subject.inputs, n=INPUT_SAMPLES, seed=plan.seed)
    else:
        fitting = check_against_model(data, subject.inputs)
        inputs = model_inputs(fitting.representative(INPUT_SAMPLES, plan.seed), subject.inputs)
    tools.tell("profile", f"measuring {subject.name} on {entry.name}")
    result = device.measure(
        inputs,
        processes=plan.processes,
        warmup=plan.warmup,
        samples=plan.samples,
        min_seconds=plan.min_seconds,
        artifact=subject.reference(),
        options=RunOptions(threads=plan.threads, timeout_s=plan.timeout_s, seed=plan.seed, kernels=plan.kernels),
        on_event=tools.on_event,
    )
    return _measurement(result, entry, subject, plan, synthetic=data is None)


def _measurement(
    result: MeasureResult, entry: DeviceEntry, subject: Subject, plan: Plan, *, synthetic: bool
) -> Measurement:
    runs = tuple(
        _process_run(run, f"process {number} of {len(result.runs)}") for number, run in enumerate(result.runs, 1)
    )
    memory, reason = _memory(result)
    return Measurement(
        device=entry.name,
        artifact_digest=subject.digest,
        plan=Plan(**{**vars(plan), "runtime": subject.runtime}),
        runs=runs,
        memory=memory,
        memory_reason=reason,
        provenance=provenance_of(entry),
        validity=_validity(runs, entry, synthetic=synthetic),
        environment={"before": dict(result.environment_before), "after": dict(result.environment_after)},
    )


def _process_run(run: MeasuredRun, name: str) -> ProcessRun:
    times = (run.import_ns, run.load_ns, run.first_ns)
    if run.child.exit != "ok" or None in times:
        raise MeasurementError(
            f"{name} ended by {run.child.exit}: {run.child.message}",
            hint="try the model with edgekit evaluate, or give it more memory or time",
            child=vars(run.child),
        )
    import_ns, load_ns, first_ns = (time for time in times if time is not None)
    return ProcessRun(
        import_ns=import_ns,
        load_ns=load_ns,
        first_ns=first_ns,
        warmup_ns=run.warmup_ns,
        samples_ns=run.samples_ns,
    )


def _memory(result: MeasureResult) -> tuple[Memory | None, str | None]:
    run = result.memory
    if run.child.exit != "ok":
        return None, f"the process that was weighed ended by {run.child.exit}"
    if run.baseline_rss_bytes is None or run.peak_rss_bytes is None:
        return None, run.child.message or "the device's kernel tells no peak (VmHWM)"
    return Memory(baseline_rss_bytes=run.baseline_rss_bytes, peak_rss_bytes=run.peak_rss_bytes), None


def _validity(runs: tuple[ProcessRun, ...], entry: DeviceEntry, *, synthetic: bool) -> tuple[Validity, ...]:
    flags = []
    variation = coefficient_of_variation([median(run.samples_ns) for run in runs if run.samples_ns])
    if variation is None or variation > _NOISY_CV:
        flags.append(Validity.NOISY)
    if synthetic:
        flags.append(Validity.SYNTHETIC)
    if entry.is_emulated:
        flags.append(Validity.EMULATED)
    return tuple(flags) or (Validity.VALID,)
