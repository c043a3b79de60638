"""Whose fault an error is, and whether and when the same is tried again."""

from __future__ import annotations

import random
from dataclasses import dataclass

from edgekit.core.errors import (
    DeviceError,
    EdgekitError,
    InternalError,
    LockedError,
    NetworkError,
    ProtocolError,
    StorageError,
    TrustError,
)
from edgekit.flows.fleet.member import Fault, Phase

RETRIED = frozenset({Fault.INFRASTRUCTURE, Fault.BUSY})
"""Whatever else failed would fail again: a release that was refused once is refused, and counted, once."""

AGAINST_RELEASE = frozenset({Fault.RELEASE, Fault.INTERNAL})
"""What counts towards the failures that stop a rollout."""

_LONGEST_PAUSE_S = 60.0


def fault_of(error: Exception, phase: Phase) -> Fault:
    """The class of an error, by what it is and by how far the attempt had come.

    Args:
        error: what ended the attempt.
        phase: the one that it ended in. What the device refuses before the activation is its own affair: another
            machine, no room for a runtime; from then on it speaks of the release.
    """
    match error:
        case TrustError():
            return Fault.TRUST
        case LockedError():
            return Fault.BUSY
        case NetworkError() | ProtocolError():
            return Fault.INFRASTRUCTURE
        case DeviceError() if "exit_status" in error.details:  # the agent itself ended
            return Fault.INFRASTRUCTURE
        case StorageError():
            return Fault.DEVICE
        case InternalError():
            return Fault.INTERNAL
        case EdgekitError():
            return Fault.RELEASE if phase in (Phase.ACTIVATE, Phase.PROVE) else Fault.DEVICE
        case _:
            return Fault.INTERNAL


@dataclass(frozen=True, kw_only=True)
class Retries:
    """How often, and after which pauses.

    Attributes:
        most: further attempts after the first.
        first_s: the first pause; each is twice the one before, at most a minute, and varied by half of itself, so that
            a fleet that lost its network does not come back all at once.
    """

    most: int = 2
    first_s: float = 1.0

    def pause_s(self, device: str, attempt: int, error: EdgekitError) -> float:
        """The wait after an attempt that failed.

        Args:
            device: its name; the same device waits as long each time.
            attempt: its number, from 1.
            error: a lease that somebody else has says when it ends.
        """
        leased_s = error.details.get("expires_s")
        if isinstance(leased_s, int | float):
            return min(_LONGEST_PAUSE_S, max(0.0, leased_s) + self.first_s)
        whole = min(_LONGEST_PAUSE_S, self.first_s * 2.0 ** (attempt - 1))
        return whole * random.Random(f"{device}:{attempt}").uniform(0.5, 1.0)  # noqa: S311 -- spreads, hides nothing
