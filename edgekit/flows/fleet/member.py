"""One device of a fleet: the state that it ended in, why, and every attempt that was made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, Self

from edgekit.core.measurement import Measurement
from edgekit.core.verdict import Outcome, Verdict


class State(StrEnum):
    """Where a device ended."""

    NEW = "new"
    """It runs the release, now or already before."""

    OLD = "old"
    """It runs what it ran before."""

    ROLLED_BACK = "rolled-back"
    """It ran the release, and runs again what it ran before."""

    QUARANTINED = "quarantined"
    """It fails too often; nothing is deployed to it until a person releases it."""

    UNREACHABLE = "unreachable"
    """It does not answer, or refuses us; what it runs is the old release or the new one, never half of one."""

    SKIPPED = "skipped"
    """It was not touched: the rollout stopped before its turn, or the release is not for it."""


class Phase(StrEnum):
    """How far an attempt came."""

    CONNECT = "connect"
    CHECK = "check"
    ACTIVATE = "activate"
    PROVE = "prove"


class Fault(StrEnum):
    """Whose fault a failed attempt is; only the first two are tried again."""

    INFRASTRUCTURE = "infrastructure"
    """The network, or an agent that died."""

    BUSY = "busy"
    """Somebody else is using the device."""

    TRUST = "trust"
    """Host key or log-in."""

    DEVICE = "device"
    """The device cannot take it: full, too hot, another machine, no runtime."""

    RELEASE = "release"
    """The release was refused, failed its checks, or broke a limit; this counts against it."""

    INTERNAL = "internal"
    """A bug in edgekit; this counts against the release too, so that it stops a rollout."""


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One try.

    Attributes:
        number: from 1.
        phase: the last one that began.
        seconds: how long it took.
        fault: None when it went through.
        code, message: of the error; None when it went through.
        pause_s: wait before the next attempt; 0 if there was none.
    """

    number: int
    phase: Phase
    seconds: float
    fault: Fault | None = None
    code: str | None = None
    message: str | None = None
    pause_s: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Member:
    """What became of a device.

    Attributes:
        device, target: names.
        state: where it ended.
        reason: why, one clause; empty for a device that is simply new.
        wave: number from 1; 0 for a device that was in none.
        fault: of the last attempt; None if it went through, or there was none.
        counts: whether it is held against the release.
        attempts: all of them, in their order.
        release: digest that was to be activated.
        active, previous: digests on the device at the end, as far as it said.
        unchanged: it ran the release already.
        bytes_sent, transferred_bytes: of files that it lacked, plain and as they travelled.
        seconds: from the first attempt to the end of the last.
        latency_ns: median call of the release there; None where it was not measured.
        accuracy: on the evaluation set, by the device's own answers; None as for `latency_ns`.
        verdicts: limits and what was found there.
        run_id: of the stored measurement.
        unwell: why its health check forbade to deploy to it, or a disk that cannot keep the bytes.
        remarks: what else is to be said of its health.
        measurement: raw samples; not part of the document.
    """

    device: str
    target: str | None
    state: State
    reason: str = ""
    wave: int = 0
    fault: Fault | None = None
    counts: bool = False
    attempts: tuple[Attempt, ...] = ()
    release: str | None = None
    active: str | None = None
    previous: str | None = None
    unchanged: bool = False
    bytes_sent: int = 0
    transferred_bytes: int = 0
    seconds: float = 0.0
    latency_ns: float | None = None
    accuracy: float | None = None
    verdicts: tuple[Verdict, ...] = ()
    run_id: str | None = None
    unwell: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    measurement: Measurement | None = field(default=None, repr=False, compare=False)

    @property
    def is_conclusive(self) -> bool:
        """Whether it says something about the release: it runs it, or the release failed there."""
        return self.state is State.NEW or self.counts

    def as_json(self) -> dict[str, Any]:
        """Its entry in the document of schema edgekit.fleet/1, and in the journal."""
        plain = {key: value for key, value in vars(self).items() if key != "measurement"}
        return {
            **plain,
            "state": str(self.state),
            "fault": None if self.fault is None else str(self.fault),
            "attempts": [_attempt_json(attempt) for attempt in self.attempts],
            "verdicts": [{**vars(verdict), "outcome": str(verdict.outcome)} for verdict in self.verdicts],
            "unwell": list(self.unwell),
            "remarks": list(self.remarks),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """The inverse of `as_json`.

        Raises:
            KeyError, TypeError, ValueError: it is something else.
        """
        fields = dict(value)
        fields["state"] = State(fields["state"])
        fields["fault"] = None if fields["fault"] is None else Fault(fields["fault"])
        fields["attempts"] = tuple(_attempt(one) for one in fields["attempts"])
        fields["verdicts"] = tuple(Verdict(**{**one, "outcome": Outcome(one["outcome"])}) for one in fields["verdicts"])
        fields["unwell"], fields["remarks"] = tuple(fields["unwell"]), tuple(fields["remarks"])
        return cls(**fields)


def _attempt_json(attempt: Attempt) -> dict[str, Any]:
    fault = None if attempt.fault is None else str(attempt.fault)
    return {**asdict(attempt), "phase": str(attempt.phase), "fault": fault}


def _attempt(value: Mapping[str, Any]) -> Attempt:
    fault = None if value["fault"] is None else Fault(value["fault"])
    return Attempt(**{**value, "phase": Phase(value["phase"]), "fault": fault})
