"""A device of which a gate learned nothing, while it learned something of others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from edgekit.core.device_entry import DeviceEntry
from edgekit.core.errors import (
    DeviceError,
    EdgekitError,
    LockedError,
    MeasurementError,
    NetworkError,
    StorageError,
    TrustError,
    UnsupportedError,
)
from edgekit.core.gate import DEVICE, Kind
from edgekit.core.measurement import Provenance
from edgekit.core.target import Target
from edgekit.core.verdict import Check, Outcome
from edgekit.flows.gating.findings import Finding

OF_ONE_DEVICE = (
    DeviceError, LockedError, MeasurementError, NetworkError, StorageError, TrustError, UnsupportedError,
)  # fmt: skip
"""What ends the gate of one device and says nothing of the next."""


@dataclass(frozen=True, kw_only=True)
class Untold:
    """A device that could not be asked.

    Attributes:
        entry: the device.
        target: its kind.
        error: why.
        seconds: until that was known.
    """

    entry: DeviceEntry
    target: Target
    error: EdgekitError
    seconds: float

    @property
    def findings(self) -> tuple[Finding, ...]:
        """One check that is open, whatever the rules choose."""
        hint = f"; {self.error.hint}" if self.error.hint else ""
        check = Check(
            metric=DEVICE, device=self.entry.name, value=None, baseline=None, limit=None,
            outcome=Outcome.INCONCLUSIVE, reason=f"{self.error.message}{hint}",
        )  # fmt: skip
        return (Finding(kind=Kind.BUDGET, check=check),)

    def as_json(self) -> dict[str, Any]:
        """The device's part of `edgekit gate --json`."""
        return {
            "device": self.entry.name,
            "target": self.target.name,
            "provenance": str(Provenance.EMULATED if self.entry.is_emulated else Provenance.MEASURED),
            "flags": [],
            "seconds": round(self.seconds, 3),
            "setting": None,
            "comparability": [],
            "measurement": None,
            "baseline_measurement": None,
            "comparison": None,
            "comparison_reason": None,
            "baseline": None,
            "error": self.error.as_json(),
        }
