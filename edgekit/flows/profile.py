"""Profile: latency and memory of a model on a device, raw, in fresh processes."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from edgekit.core.dataset import Dataset
from edgekit.core.device_entry import DeviceEntry
from edgekit.core.errors import EdgekitError
from edgekit.core.events import OnEvent, ignore
from edgekit.core.measurement import Measurement, Plan
from edgekit.core.target import Target
from edgekit.device.client import DeviceClient
from edgekit.device.connect import connect
from edgekit.flows.measuring.floor import keep_floor
from edgekit.flows.measuring.session import MeasuringSession
from edgekit.flows.measuring.side import provenance_of, side_of
from edgekit.flows.runtime import ensure_runtime
from edgekit.flows.subject import Subject, active_on, from_file
from edgekit.flows.workspace import Workspace, workspace

__all__ = ["measure", "profile_model", "provenance_of"]


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
        measurement = measure(device, entry, subject, plan=plan, data=data, tools=tools)
    with suppress(EdgekitError):  # a note for later gates; a folder that cannot be written to takes nothing away
        keep_floor(measurement)
    return subject, measurement


def measure(
    device: DeviceClient, entry: DeviceEntry, subject: Subject, *, plan: Plan, data: Dataset | None, tools: Workspace
) -> Measurement:
    """Measure a subject that the device has.

    Args:
        device: connected; it has the subject's runtime.
        entry: the device.
        subject: a staged artifact.
        plan: how; its runtime is replaced by the subject's.
        data: real inputs; None takes random ones.
        tools: listener.

    Raises:
        MeasurementError: a process crashed, hung or was killed for its memory, or the machine is unfit for a strict
            plan.
    """
    side = side_of(device, subject, plan, data, tools)
    tools.tell("profile", f"measuring {subject.name} on {entry.name}")
    with MeasuringSession(device, entry, plan, [side], tools) as session:
        if plan.is_brief:
            session.all_at_once()
        else:
            session.until_narrow(side)
            session.repeat_one_input(side)
        (measurement,) = session.finish()
    return measurement
