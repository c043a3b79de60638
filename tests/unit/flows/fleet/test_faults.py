"""Whose fault an error is, and how long the same waits before it is tried again."""

from __future__ import annotations

import pytest

from edgekit.core.errors import (
    AuthenticationError,
    ConfigurationError,
    DeadlineError,
    DeviceError,
    EdgekitError,
    GateFailedError,
    HostKeyError,
    InternalError,
    LockedError,
    MeasurementError,
    NetworkError,
    ProtocolError,
    RolledBackError,
    StorageError,
    UnsupportedError,
    VerificationError,
)
from edgekit.flows.fleet.faults import AGAINST_RELEASE, RETRIED, Retries, fault_of
from edgekit.flows.fleet.member import Fault, Phase


@pytest.mark.parametrize(
    ("error", "phase", "fault"),
    [
        (NetworkError("x"), Phase.CONNECT, Fault.INFRASTRUCTURE),
        (DeadlineError("x"), Phase.PROVE, Fault.INFRASTRUCTURE),
        (ProtocolError("x"), Phase.ACTIVATE, Fault.INFRASTRUCTURE),
        (DeviceError("x", exit_status=9), Phase.ACTIVATE, Fault.INFRASTRUCTURE),
        (DeviceError("x", child={"exit": "signal"}), Phase.ACTIVATE, Fault.RELEASE),
        (LockedError("x"), Phase.ACTIVATE, Fault.BUSY),
        (HostKeyError("x"), Phase.CONNECT, Fault.TRUST),
        (AuthenticationError("x"), Phase.CONNECT, Fault.TRUST),
        (StorageError("x"), Phase.ACTIVATE, Fault.DEVICE),
        (UnsupportedError("x"), Phase.CHECK, Fault.DEVICE),
        (UnsupportedError("x"), Phase.ACTIVATE, Fault.RELEASE),
        (DeviceError("not well"), Phase.CHECK, Fault.DEVICE),
        (VerificationError("x"), Phase.ACTIVATE, Fault.RELEASE),
        (RolledBackError("x"), Phase.ACTIVATE, Fault.RELEASE),
        (GateFailedError("x"), Phase.PROVE, Fault.RELEASE),
        (MeasurementError("x"), Phase.PROVE, Fault.RELEASE),
        (ConfigurationError("x"), Phase.CONNECT, Fault.DEVICE),
        (InternalError("x"), Phase.CONNECT, Fault.INTERNAL),
        (KeyError("x"), Phase.PROVE, Fault.INTERNAL),
    ],
)
def test_fault_is_told_by_the_error_and_by_how_far_it_came(error: Exception, phase: Phase, fault: Fault) -> None:
    assert fault_of(error, phase) is fault


def test_nothing_that_speaks_against_the_release_is_tried_again() -> None:
    assert not RETRIED & AGAINST_RELEASE


def test_pauses_double_up_to_a_minute_and_differ_between_devices() -> None:
    lost: EdgekitError = NetworkError("x")

    pauses = [Retries().pause_s("pi", attempt, lost) for attempt in range(1, 12)]

    assert all(half <= pause <= whole for pause, half, whole in zip(pauses, (0.5, 1, 2), (1, 2, 4), strict=False))
    assert max(pauses) <= 60
    assert pauses == [Retries().pause_s("pi", attempt, lost) for attempt in range(1, 12)]
    assert Retries().pause_s("nano", 1, lost) != pauses[0]


def test_lease_of_somebody_else_is_waited_for() -> None:
    leased = LockedError("leased to another", expires_s=12.5)

    assert Retries().pause_s("pi", 1, leased) == pytest.approx(13.5)
