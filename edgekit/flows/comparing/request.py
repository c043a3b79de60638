"""Compare: what is asked for, and the document that comes of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit.core.device_entry import DeviceEntry
from edgekit.core.errors import InputError, UnsupportedError, UsageError
from edgekit.core.events import OnEvent, ignore
from edgekit.core.measurement import Plan
from edgekit.core.target import Target
from edgekit.device.client import DeviceClient
from edgekit.device.connect import connect
from edgekit.flows.comparing.drift import drift_document
from edgekit.flows.comparing.models import compare_models, described_file
from edgekit.flows.comparing.on_device import Judgement, compare_on_device, subject_of
from edgekit.flows.measuring.pair import Pair
from edgekit.flows.runtime import ensure_runtime
from edgekit.flows.subject import Subject
from edgekit.flows.workspace import Workspace, workspace


@dataclass(frozen=True, kw_only=True)
class CompareRequest:
    """Two models, or one on a device and on this computer.

    Attributes:
        first: a model of a framework, a bundle, or a file that a runtime loads.
        second: the same; it is judged. None only holds `first` against itself elsewhere.
        target: kind of the device, or of this computer.
        judgement: the samples, and how answers to them are judged.
        entry: the device; None compares on this computer only.
        plan: how to measure on the device.
        layers: compare layer by layer too, on this computer.
        drift: hold the device's answers against this computer's.
        offline: download nothing.
    """

    first: Path
    second: Path | None
    target: Target
    judgement: Judgement
    entry: DeviceEntry | None = None
    plan: Plan | None = None
    layers: bool = False
    drift: bool = False
    offline: bool = False


def compare(request: CompareRequest, on_event: OnEvent = ignore) -> tuple[dict[str, Any], Pair | None]:
    """Compare, on this computer and on the device.

    Args:
        request: what.
        on_event: listener.

    Returns:
        What `edgekit compare --json` prints, and the raw measurements of a device.

    Raises:
        UsageError: something is asked for that needs a device or a second model, and there is none.
        InputError: the models do not take the same inputs, or the data does not fit them.
        UnsupportedError: the device is a board.
        MeasurementError: a process crashed, hung or was killed for its memory.
    """
    _check(request)
    with workspace(on_event) as tools:
        document: dict[str, Any] = {"schema": "edgekit.compare/1"}
        if request.second is not None:
            document |= _here(request, request.second, tools)
        if request.entry is None:
            return document, None
        with _connected(request, request.entry, tools) as (device, subjects):
            pair = None
            if len(subjects) == 2 and request.plan is not None:
                found, pair = compare_on_device(
                    device, request.entry, *subjects, plan=request.plan, judgement=request.judgement, tools=tools
                )
                document |= found
            if request.drift and request.judgement.data is not None:
                document["drift"] = drift_document(
                    device,
                    request.entry,
                    subjects[-1],
                    request.judgement.data,
                    timeout_s=request.judgement.timeout_s,
                    tools=tools,
                )
    return document, pair


def _check(request: CompareRequest) -> None:
    if request.drift and request.entry is None:
        raise UsageError("drift is between a device and this computer", hint="give --device NAME")
    if request.entry is not None and request.target.board is not None:
        raise UnsupportedError(
            f"{request.entry.name} is a board, which has no time to compare but instructions",
            hint="edgekit profile BUNDLE --device BOARD counts them; compare two such runs: edgekit compare RUN RUN",
        )
    if request.second is None and not request.drift:
        raise UsageError("there is nothing to compare with", hint="name a second model, or give --drift --device NAME")
    if request.drift and request.judgement.data is None:
        raise InputError("drift is found on real inputs", hint="give some with --data")


def _here(request: CompareRequest, second: Path, tools: Workspace) -> dict[str, Any]:
    """The comparison on this computer; on a device other formats than .tflite are compared too, but only there."""
    judgement = request.judgement
    if request.entry is not None and request.target.runtime_for("tflite") is None:
        return {
            "float": described_file(request.first, request.target, tools),
            "artifact": described_file(second, request.target, tools),
            "outputs": None,
        }
    return compare_models(
        request.first, second, request.target, judgement.data, tools=tools, layers=request.layers,
        metric=judgement.metric, max_drop=judgement.max_drop, confidence=judgement.confidence,
    )  # fmt: skip


@contextmanager
def _connected(
    request: CompareRequest, entry: DeviceEntry, tools: Workspace
) -> Iterator[tuple[DeviceClient, list[Subject]]]:
    """The device with all subjects on it, and their runtimes."""
    paths = [request.first] if request.second is None else [request.first, request.second]
    subjects = [subject_of(path, request.target, tools) for path in paths]
    tools.tell("connect", f"connecting to {entry.name}")
    with connect(entry) as device:
        for runtime in dict.fromkeys(subject.runtime for subject in subjects):
            ensure_runtime(device, runtime, offline=request.offline, tools=tools)
        for subject in subjects:
            subject.stage(device, tools)
        yield device, subjects
