"""What the layers that were kept out of int8 cost in time: both artifacts measured in turn on this computer."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from edgekit.core.artifact import Artifact
from edgekit.core.dataset import Dataset
from edgekit.core.errors import EdgekitError, LockedError, MeasurementError
from edgekit.flows.samples import model_inputs, synthetic_inputs
from edgekit.flows.workspace import Workspace

if TYPE_CHECKING:
    from edgekit.device.client import DeviceClient

PAIRS = 7
"""Pairs of processes. The range of so many holds the median ratio with a probability of 1 - 2 ** -6, 98 %."""
_WARMUP, _CALLS, _MIN_SECONDS, _TIMEOUT_S = 10, 50, 0.1, 60.0
_SAMPLES = 32


@dataclass(frozen=True, kw_only=True)
class TimeRatio:
    """How many times as long one inference takes with the kept layers as in plain int8.

    Attributes:
        value: median over the pairs of processes.
        low, high: least and greatest ratio of a pair.
        pairs: how many pairs; each is one fresh process of either artifact, one right after the other.
        plain_ns, artifact_ns: median of the processes' medians.
        where: the machine that it was measured on, which is not the target.
    """

    value: float
    low: float
    high: float
    pairs: int
    plain_ns: float
    artifact_ns: float
    where: str

    def as_json(self) -> dict[str, Any]:
        """The ratio in a document."""
        return asdict(self)


def kept_time(
    plain: Artifact, artifact: Artifact, data: Dataset | None, *, runtime: str, tools: Workspace
) -> TimeRatio | str:
    """Measure both artifacts on this computer.

    Each pair is a fresh process of either, one thread, the other one first in every second pair, so that neither a
    process' luck with its memory nor a clock that changes speaks for one of them (T. Kalibera and R. Jones, "Rigorous
    benchmarking in reasonable time", 2013).

    Args:
        plain: with every layer in int8.
        artifact: with the layers that were kept.
        data: real inputs that fit both; None takes random ones.
        runtime: name of the runner.
        tools: this computer as a device.

    Returns:
        The ratio, or why there is none: a figure for people must not break a compilation that succeeded.
    """
    times: tuple[list[float], list[float]] = ([], [])
    try:
        device = _device(tools, (plain, artifact))
        for pair in range(PAIRS):
            tools.tell("time", "plain int8 against the kept layers", done=pair, total=PAIRS)
            for which in (0, 1) if pair % 2 == 0 else (1, 0):
                one = (plain, artifact)[which]
                times[which].append(_process_median_ns(device, one, _inputs(one, data), runtime))
    except EdgekitError as error:
        return f"it could not be measured on this computer: {error.message}"
    return time_ratio(times[0], times[1])


def time_ratio(plain_ns: Sequence[float], artifact_ns: Sequence[float]) -> TimeRatio:
    """The ratio out of one median a process, ns, in the order of the pairs."""
    ratios = [ours / theirs for theirs, ours in zip(plain_ns, artifact_ns, strict=True)]
    return TimeRatio(
        value=median(ratios),
        low=min(ratios),
        high=max(ratios),
        pairs=len(ratios),
        plain_ns=median(plain_ns),
        artifact_ns=median(artifact_ns),
        where=f"this computer ({platform.machine()})",
    )


def _device(tools: Workspace, artifacts: Sequence[Artifact]) -> DeviceClient:
    """This computer with both files on it."""

    def stage_on(device: DeviceClient) -> DeviceClient:
        for artifact in artifacts:
            device.stage(artifact.path, sha256=artifact.digest)
        return device

    try:
        return stage_on(tools.localhost)
    except LockedError:  # two compilations at once are no conflict, but they disturb each other's times
        return stage_on(tools.own_localhost)


def _inputs(artifact: Artifact, data: Dataset | None) -> tuple[NDArray[Any], ...]:
    if data is None:
        return synthetic_inputs(artifact.inputs, n=_SAMPLES, seed=0)
    return model_inputs(data.representative(_SAMPLES, 0), artifact.inputs)


def _process_median_ns(device: DeviceClient, artifact: Artifact, inputs: Sequence[NDArray[Any]], runtime: str) -> float:
    from edgekit.device.client import ArtifactRef, RunOptions  # only where layers were kept
    from edgekit.device.measured import MeasureRequest

    result = device.measure(
        inputs,
        MeasureRequest(processes=1, warmup=_WARMUP, samples=_CALLS, min_seconds=_MIN_SECONDS, memory=0),
        artifact=ArtifactRef(release=None, blob=artifact.digest, format=artifact.format, runtime=runtime),
        options=RunOptions(timeout_s=_TIMEOUT_S),
    )
    (run,) = result.runs
    if run.child.exit != "ok" or not run.samples_ns:
        raise MeasurementError(f"a process ended by {run.child.exit}: {run.child.message}", hint="edgekit profile")
    return float(median(run.samples_ns))
