"""A release on trial: proven by the host, then confirmed over a new connection, or taken back at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from edgekit.core.device_entry import DeviceEntry
from edgekit.core.errors import EdgekitError, InputError, NetworkError, RolledBackError
from edgekit.core.events import Event, OnEvent, ignore
from edgekit.core.verdict import Outcome, Verdict
from edgekit.device.client import DeviceClient
from edgekit.device.connect import connect
from edgekit.flows.status import release_named


@contextmanager
def or_back(device: DeviceClient, entry: DeviceEntry, digest: str) -> Iterator[None]:
    """Have a device go back at once when what proves its release on trial fails.

    Args:
        device: on which the release is active, and not confirmed yet.
        entry: for messages.
        digest: of the release.

    Raises:
        RolledBackError: the proof failed; the device goes back, at its deadline where we cannot reach it any more.
    """
    try:
        yield
    except BaseException as failure:
        reason = failure.message if isinstance(failure, EdgekitError) else f"{type(failure).__name__}: {failure}"
        active = _go_back(device, digest, reason)
        if not isinstance(failure, EdgekitError):
            raise
        raise RolledBackError(
            f"{digest[:12]} was not confirmed on {entry.name}: {reason}",
            hint=f"{active[:12]} is active again" if active else f"{entry.name} goes back by itself at the deadline",
            **{**failure.details, "cause": failure.as_json()},
        ) from failure


def require(verdicts: Sequence[Verdict]) -> None:
    """Refuse to confirm a release that breaks a budget on the device.

    Raises:
        RolledBackError: it does.
    """
    for verdict in verdicts:
        if verdict.outcome is Outcome.FAIL:
            raise RolledBackError(
                f"{verdict.metric} is {verdict.value:g}, the budget is {verdict.limit:g}",
                hint="choose another recipe, or raise the budget",
                verdicts=[{**vars(one), "outcome": str(one.outcome)} for one in verdicts],
            )


def confirm(entry: DeviceEntry, digest: str, *, token: int | None = None, on_event: OnEvent = ignore) -> None:
    """Confirm a release over a new connection: who can still reach the device so can reach it again.

    Args:
        entry: the device.
        digest: of the release.
        token: of the lease that we hold.
        on_event: listener.

    Raises:
        RolledBackError: the device has gone back already, or goes back because it cannot be reached.
    """
    on_event(Event(phase="confirm", message=f"confirming {digest[:12]} on {entry.name}"))
    try:
        with connect(entry) as device:
            device.token = token
            device.confirm(digest)
    except NetworkError as failure:
        raise RolledBackError(
            f"{entry.name} cannot be reached any more to confirm {digest[:12]}: {failure.message}",
            hint="it goes back by itself at the deadline; see what the release does to its network",
            cause=failure.as_json(),
        ) from failure


def confirm_pending(entry: DeviceEntry, *, on_event: OnEvent = ignore) -> dict[str, Any]:
    """Confirm whatever is on trial; the document that `edgekit devices confirm --json` prints.

    Raises:
        InputError: nothing is on trial there.
    """
    on_event(Event(phase="confirm", message=f"confirming on {entry.name}"))
    with connect(entry) as device:
        status = device.status()
        if status.pending is None or status.confirm_left_s is None:
            raise InputError(
                f"nothing waits for a confirmation on {entry.name}",
                hint=f"active there: {status.active or 'nothing'}; edgekit status --device {entry.name}",
            )
        links = device.confirm(status.pending)
    return {"schema": "edgekit.confirm/1", "device": entry.name, "active": links.active, "previous": links.previous}


def pin(entry: DeviceEntry, release: str, *, pinned: bool) -> dict[str, Any]:
    """Pin a release or unpin it; the document that `edgekit devices pin --json` prints.

    Args:
        entry: the device.
        release: digest, or its first digits.
        pinned: whether no clean-up may remove it from now on.

    Raises:
        InputError: no release on the device, or more than one, begins with these digits.
    """
    with connect(entry) as device:
        digest = release_named(device.status().releases, release)
        found = device.pin(digest, pinned=pinned)
    return {"schema": "edgekit.pin/1", "device": entry.name, "release": digest, "pinned": list(found)}


def _go_back(device: DeviceClient, digest: str, reason: str) -> str | None:
    """What is active again; None when the device does not tell.

    Not by a rollback: a device that has gone back by itself would go one release further.
    """
    with suppress(EdgekitError):
        return device.refuse(digest, reason).active or "nothing"
    return None
