"""The deploy to one device of a fleet: tried again where that can help, and ended in a named state."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from statistics import median

from edgekit.core.device_entry import DeviceEntry
from edgekit.core.errors import EdgekitError, InternalError, RolledBackError, StorageError
from edgekit.core.measurement import Evaluation, Measurement
from edgekit.device.replies import Status
from edgekit.flows.fleet.faults import AGAINST_RELEASE, RETRIED, Retries, fault_of
from edgekit.flows.fleet.member import Attempt, Fault, Member, Phase, State
from edgekit.flows.fleet.order import Order
from edgekit.flows.fleet.visit import Visit

_NOT_REACHED = frozenset({Fault.INFRASTRUCTURE, Fault.TRUST, Fault.INTERNAL})


@dataclass(frozen=True, kw_only=True)
class MemberWork:
    """Deploys to one device.

    Attributes:
        order: what is to be done there.
        retries: how often the same is tried.
        pause: waits between two attempts.
    """

    order: Order
    retries: Retries = field(default_factory=Retries)
    pause: Callable[[float], None] = time.sleep

    def __call__(self, entry: DeviceEntry) -> Member:
        """Deploy, and say what came of it; nothing is raised."""
        assert entry.target is not None
        started = time.monotonic()
        attempts: list[Attempt] = []
        visit = Visit(order=self.order, entry=entry, release=self.order.releases[entry.target])
        while True:
            began = time.monotonic()
            error = _tried(visit)
            attempt = Attempt(number=len(attempts) + 1, phase=visit.phase, seconds=time.monotonic() - began)
            if error is None:
                attempts.append(attempt)
                break
            fault = fault_of(error, visit.phase)
            is_last = fault not in RETRIED or len(attempts) == self.retries.most
            pause_s = 0.0 if is_last else self.retries.pause_s(entry.name, attempt.number, error)
            attempts.append(replace(attempt, fault=fault, code=error.code, message=error.message, pause_s=pause_s))
            if is_last:
                break
            self.pause(pause_s)
        member = self._concluded(visit, error, attempts)
        return replace(member, attempts=tuple(attempts), seconds=time.monotonic() - started)

    def _concluded(self, visit: Visit, error: EdgekitError | None, attempts: Sequence[Attempt]) -> Member:
        known = _known(visit)
        if error is None:
            return replace(known, state=State.NEW)
        fault = attempts[-1].fault
        known = replace(known, fault=fault, reason=error.message, counts=fault in AGAINST_RELEASE)
        if isinstance(error, StorageError):
            known = replace(known, unwell=(error.message,))
        if not visit.was_reached and fault in _NOT_REACHED:
            return replace(known, state=State.UNREACHABLE)
        if all(attempt.phase in (Phase.CONNECT, Phase.CHECK) for attempt in attempts):
            return replace(known, state=State.OLD, active=visit.before)
        found = self._look(visit)
        if found is None:
            reason = f"lost after the activation had begun, it runs the old release or the new one: {error.message}"
            return replace(known, state=State.UNREACHABLE, reason=reason, counts=True)
        known = replace(known, active=found.active, previous=found.previous)
        if found.active == visit.release.bundle.digest:
            return replace(known, state=State.NEW)
        was_active = visit.was_undone or isinstance(error, RolledBackError)
        return replace(known, state=State.ROLLED_BACK if was_active else State.OLD)

    def _look(self, visit: Visit) -> Status | None:
        """What the device says of itself after a failure; None if it does not answer."""
        try:
            with self.order.connect(visit.entry) as device:
                found = device.status()
                visit.give_back(device)
                return found
        except EdgekitError:
            return None


def _tried(visit: Visit) -> EdgekitError | None:
    """One attempt; what it ended with, None if it went through."""
    try:
        visit.make()
    except EdgekitError as error:
        return error
    except Exception as bug:  # one device's bug must not leave the others without a state
        return InternalError(f"a bug in edgekit: {type(bug).__name__}: {bug}")
    return None


def _known(visit: Visit) -> Member:
    deployment = visit.deployment
    return Member(
        device=visit.entry.name,
        target=visit.entry.target,
        state=State.UNREACHABLE,
        release=visit.release.bundle.digest,
        active=deployment.active if deployment else None,
        previous=deployment.previous if deployment else None,
        unchanged=bool(deployment and deployment.unchanged),
        bytes_sent=deployment.bytes_sent if deployment else 0,
        transferred_bytes=deployment.transferred_bytes if deployment else 0,
        latency_ns=_latency_ns(visit.measurement),
        accuracy=_accuracy(visit.evaluation),
        verdicts=visit.verdicts,
        unwell=visit.health.unwell if visit.health else (),
        remarks=visit.health.remarks if visit.health else (),
        measurement=visit.measurement,
    )


def _latency_ns(measurement: Measurement | None) -> float | None:
    medians = [median(run.samples_ns) for run in measurement.runs if run.samples_ns] if measurement else []
    return float(median(medians)) if medians else None


def _accuracy(evaluation: Evaluation | None) -> float | None:
    found = (evaluation.score or evaluation.accuracy) if evaluation else None
    return None if found is None else found.value
