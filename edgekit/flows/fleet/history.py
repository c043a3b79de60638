"""How a device has fared with this computer, and when it is fenced off: kept in the user's state folder.

Rules of device farms (LAVA's health checks, Firebase's and AWS's experience with retries): errors of the infrastructure
are tried again but counted, and a device that has too many of them, or is twice in a row not well, gets no work until
a person has looked at it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Self

import filelock
import platformdirs

from edgekit.core.digest import sha256_bytes
from edgekit.core.errors import ConfigurationError, InputError, LockedError
from edgekit.core.files import write_atomically

DEVICES = "devices"
"""Folder of the histories within the state folder."""

WINDOW_S = 24 * 3600.0
MOST_ERRORS = 3
"""So many errors of the infrastructure within the window fence a device off."""
MOST_UNWELL = 2
"""So many health checks in a row that found it not well."""

_SCHEMA = "edgekit.device-history/1"
_KEPT = 100
_LOCK_S = 10.0


class Kind(StrEnum):
    """What can happen to a device."""

    ERROR = "error"
    """An error of the infrastructure."""

    UNWELL = "unwell"
    """A health check found it not well."""

    WELL = "well"
    """A health check found nothing."""

    QUARANTINED = "quarantined"
    RELEASED = "released"


_DECISIONS = (Kind.QUARANTINED, Kind.RELEASED)


@dataclass(frozen=True, kw_only=True)
class HistoryEvent:
    """Something that happened.

    Attributes:
        utc_s: seconds since 1970 by this computer's clock.
        kind: what.
        message: with what.
    """

    utc_s: float
    kind: Kind
    message: str


def fenced_because(events: Sequence[HistoryEvent], now_s: float) -> str | None:
    """Why a device is fenced off now; None if it is not.

    Args:
        events: oldest first. An event of the future, after a clock that went back, counts as one of now.
        now_s: seconds since 1970.
    """
    decided = [place for place, event in enumerate(events) if event.kind in _DECISIONS]
    if decided and events[decided[-1]].kind is Kind.QUARANTINED:
        return events[decided[-1]].message
    return _grounds(events[decided[-1] + 1 :] if decided else events, now_s)


def _grounds(events: Sequence[HistoryEvent], now_s: float) -> str | None:
    errors = [event for event in events if event.kind is Kind.ERROR and now_s - event.utc_s < WINDOW_S]
    if len(errors) >= MOST_ERRORS:
        return f"{len(errors)} errors of the infrastructure within 24 hours, the last: {errors[-1].message}"
    checks = [event for event in events if event.kind in (Kind.WELL, Kind.UNWELL)][-MOST_UNWELL:]
    if len(checks) == MOST_UNWELL and all(event.kind is Kind.UNWELL for event in checks):
        return f"not well {MOST_UNWELL} times in a row, the last: {checks[-1].message}"
    return None


def state_folder() -> Path:
    """$EDGEKIT_STATE_DIR, or the user's state folder."""
    chosen = os.environ.get("EDGEKIT_STATE_DIR")
    return Path(chosen) if chosen else platformdirs.user_state_path("edgekit")


@dataclass(frozen=True, kw_only=True)
class Histories:
    """The histories of all devices, a file each.

    Attributes:
        folder: where they lie.
    """

    folder: Path

    @classmethod
    def usual(cls) -> Self:
        """Those of this user."""
        return cls(folder=state_folder() / DEVICES)

    def events(self, device: str) -> list[HistoryEvent]:
        """What happened to a device, oldest first.

        Raises:
            ConfigurationError: the file is damaged, or a newer edgekit wrote it.
        """
        path = self._path(device)
        try:
            document = json.loads(path.read_bytes())
            if document["schema"] != _SCHEMA:
                raise ConfigurationError(
                    f"{path} has the schema {document['schema']!r}, this edgekit reads {_SCHEMA!r}",
                    hint="update edgekit",
                )
            return [HistoryEvent(**{**one, "kind": Kind(one["kind"])}) for one in document["events"]]
        except FileNotFoundError:
            return []
        except (ValueError, KeyError, TypeError, OSError) as cause:
            raise ConfigurationError(
                f"the history of {device}, {path}, cannot be read: {cause}", hint="remove the file"
            ) from cause

    def fenced(self, device: str, now_s: float) -> str | None:
        """Why a device is fenced off; None if it is not.

        Raises:
            ConfigurationError: as `events`.
        """
        return fenced_because(self.events(device), now_s)

    def forget(self, device: str) -> None:
        """Know nothing of a device any more, e.g. because another one gets its name."""
        self._path(device).unlink(missing_ok=True)

    def note(self, device: str, happened: Iterable[HistoryEvent], now_s: float) -> str | None:
        """Add to a device's history; returns why it is fenced off now, None if it is not."""
        happened = list(happened)
        with self._locked(device):
            events = [*self.events(device), *happened]
            reason = fenced_because(events, now_s)
            if reason is not None and not _is_fenced(events):
                events.append(HistoryEvent(utc_s=now_s, kind=Kind.QUARANTINED, message=reason))
                happened = events[-1:]
            if happened:
                self._write(device, events)
        return reason

    def release(self, device: str, reason: str, now_s: float) -> str:
        """Let a device have work again; returns why it was fenced off.

        Raises:
            InputError: it is not.
        """
        with self._locked(device):
            events = self.events(device)
            because = fenced_because(events, now_s)
            if because is None:
                raise InputError(f"{device} is not quarantined", hint="edgekit devices list")
            self._write(device, [*events, HistoryEvent(utc_s=now_s, kind=Kind.RELEASED, message=reason)])
        return because

    def _path(self, device: str) -> Path:
        named = device if "/" not in device else sha256_bytes(device.encode())  # a URL in the place of a name
        return self.folder / f"{named}.json"

    def _write(self, device: str, events: Sequence[HistoryEvent]) -> None:
        decided = [event for event in events[:-_KEPT] if event.kind in _DECISIONS][-1:]
        kept = [{**vars(event), "kind": str(event.kind)} for event in (*decided, *events[-_KEPT:])]
        text = json.dumps({"schema": _SCHEMA, "device": device, "events": kept}, indent=1, sort_keys=True)
        write_atomically(self._path(device), f"{text}\n".encode(), mode=0o600)

    @contextmanager
    def _locked(self, device: str) -> Iterator[None]:
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self._path(device).with_suffix(".lock")
        try:
            with filelock.FileLock(path, timeout=_LOCK_S, mode=0o600):
                yield
        except filelock.Timeout as cause:
            raise LockedError(f"{path} is held by another edgekit", hint="try again") from cause


def _is_fenced(events: Sequence[HistoryEvent]) -> bool:
    decided = [event.kind for event in events if event.kind in _DECISIONS]
    return bool(decided) and decided[-1] is Kind.QUARANTINED
