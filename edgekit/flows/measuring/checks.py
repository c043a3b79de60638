"""Checks of a measurement against itself: the same answers as an accuracy run, no favour for one input (D4, D15)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.core.measurement import Doubt, ProcessRun, Validity
from edgekit.core.regression import LEAST_PROCESSES, noise_floor
from edgekit.flows.measuring.validity import SENTINEL_WARNS

SPOT_INPUTS = 8
"""Inputs whose outputs are compared: of the 32 that a process cycles through that is more than 1 %."""

REPEATED_IN = ("default", "gate", "tail")
"""Modes in which one input again and again is timed too: there it takes a small part of the time."""

REPEATED_PROCESSES = 3
REPEATED_SECONDS = 0.5
REPEATED_SAMPLES = 100
REPEATED_FASTER = 0.10
"""MLPerf Inference's TEST04: a run with one sample again and again may be no more than 10 % faster."""


@dataclass(frozen=True, kw_only=True)
class Repeated:
    """One input again and again beside different ones in turn.

    Attributes:
        medians_ns: of each process that had one input only.
        faster: by which share they are faster than those that cycle; negative where they are slower.
        limit: beyond which share it counts: 10 %, or twice the distance of the run from itself where that is more.
        is_clear: whether it counts: beyond the limit, all of them faster than each process that cycles, and the
            machine as fast as before.
    """

    medians_ns: tuple[float, ...]
    faster: float
    limit: float
    is_clear: bool

    def doubts(self) -> tuple[Doubt, ...]:
        """NOISY: the time varies with the inputs by more than processes do."""
        if not self.is_clear:
            return ()
        reason = f"one input again and again is {self.faster:.0%} faster than different ones in turn"
        return (Doubt(flag=Validity.NOISY, reason=reason),)


def can_be_repeated(runs: Sequence[ProcessRun], doubts: Iterable[Doubt], *, mode: str, is_emulated: bool) -> str | None:
    """None if one input again and again tells something, else why it is not timed.

    Args:
        runs: the processes that cycle.
        doubts: about them.
        mode: of the plan.
        is_emulated: an emulator's times speak of no device.
    """
    if mode not in REPEATED_IN:
        return f"only the modes {', '.join(REPEATED_IN)} do"
    if is_emulated:
        return "an emulator's times speak of no device"
    if len(runs) < LEAST_PROCESSES:
        return f"fewer than {LEAST_PROCESSES} processes decide nothing"
    against = [doubt.reason for doubt in doubts if doubt.flag not in (Validity.SYNTHETIC, Validity.NONDETERMINISTIC)]
    return f"the run is not steady: {against[0]}" if against else None


def repeated(cycled: Sequence[ProcessRun], again: Sequence[ProcessRun], *, seed: int) -> Repeated:
    """What one input again and again makes of the time.

    Noise must not look like it. If nothing but chance told the processes apart, all three were faster than each of n
    others in 1 of (n + 3 choose 3) cases, 1 of 120 for the least n, 7; and they must be so by 10 % besides.

    Args:
        cycled: at least `LEAST_PROCESSES` processes with different inputs in turn.
        again: processes with one input.
        seed: of the splits that say how far the run is from itself.
    """
    usual, found = _medians(cycled), _medians(again)
    faster = 1 - median(found) / median(usual)
    limit = max(REPEATED_FASTER, 2 * noise_floor(usual, seed=seed) if len(usual) >= 2 * LEAST_PROCESSES else 0.0)
    is_clear = faster > limit and max(found) < min(usual) and not _is_faster_machine(cycled, again)
    return Repeated(medians_ns=tuple(found), faster=faster, limit=limit, is_clear=is_clear)


def outputs_each_sha256(outputs: Iterable[NDArray[Any]], n: int) -> tuple[str, ...]:
    """For each of n samples the digest of its outputs, one after the other, as a process that measures digests them.

    Args:
        outputs: of one run, the first axis of each is the sample.
        n: samples.
    """
    digests = [hashlib.sha256() for _ in range(n)]
    for output in outputs:
        data = np.ascontiguousarray(output, dtype=output.dtype.newbyteorder("<")).tobytes()
        size = len(data) // n
        for place, digest in enumerate(digests):
            digest.update(data[place * size : (place + 1) * size])
    return tuple(digest.hexdigest() for digest in digests)


def first_difference(one: Sequence[str], other: Sequence[str]) -> int | None:
    """The first sample whose digests differ, of those that both have."""
    return next((place for place, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1]), None)


def _medians(runs: Sequence[ProcessRun]) -> list[float]:
    return [median(run.samples_ns) for run in runs if run.samples_ns]


def _is_faster_machine(cycled: Sequence[ProcessRun], again: Sequence[ProcessRun]) -> bool:
    """The fixed piece of work got faster too, so the input need not be the reason."""
    before, after = ([time for run in runs for time in run.sentinel_ns or ()] for runs in (cycled, again))
    return bool(before and after) and median(before) > SENTINEL_WARNS * median(after)
