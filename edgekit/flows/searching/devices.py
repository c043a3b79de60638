"""The devices of a search: each is held by one trial at a time, and what they did is told to whoever counts faults."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import filelock
import platformdirs

from edgekit.core.digest import sha256_bytes
from edgekit.core.errors import DeviceError, InterruptedByUserError, LockedError, NetworkError, StorageError, TrustError

FAULTS = (NetworkError, DeviceError, LockedError, TrustError)
"""What is a device's fault, or its network's, and never a trial's."""

MOST_FAULTS = 3
"""A device that fails so often in a row is left out."""

_LOOK_S = 0.05
_NAME_DIGITS = 16


@dataclass(frozen=True, kw_only=True)
class Use:
    """A time for which a trial held a device.

    Attributes:
        device: its name or URL.
        seconds: how long, s.
        fault: what went wrong, as `EdgekitError.as_json` gives it; None for nothing.
    """

    device: str
    seconds: float
    fault: dict[str, object] | None = None


class DevicePool:
    """Devices that this computer's trials share; whoever dies gives his device back.

    Args:
        folder: of the locks, shared by all searches of this user on this computer.
        names: devices that may be held, names or URLs.
        offset: where to begin looking, so that workers do not all begin with the same.

    The device's own lock keeps other computers out: a candidate takes it when it connects, and `LockedError` costs the
    trial a retry.
    """

    def __init__(self, folder: Path, names: Sequence[str] = (), *, offset: int = 0) -> None:
        self._folder = folder
        self._names = tuple(names)
        self._next = offset
        self._uses: list[Use] = []

    @property
    def names(self) -> tuple[str, ...]:
        """Devices that may be held now."""
        return self._names

    def allow(self, names: Sequence[str]) -> None:
        """From now on these may be held."""
        self._names = tuple(names)

    def uses(self) -> tuple[Use, ...]:
        """What was held since this was asked last."""
        uses, self._uses = tuple(self._uses), []
        return uses

    @contextmanager
    def hold(self, stopped: Callable[[], bool]) -> Iterator[str]:
        """Wait for a free device and hold it to the end of the block.

        Args:
            stopped: whether to give up waiting.

        Raises:
            NetworkError: there is none.
            InterruptedByUserError: it has to stop.
            LockedError, NetworkError, DeviceError, TrustError: as the block raises them; they count as the device's. So
                does a StorageError, which becomes a DeviceError.
        """
        if not self._names:
            raise NetworkError("no device is left to measure on", hint="edgekit status DEVICE says what is wrong")
        name, lock = self._first_free(stopped)
        began, fault = time.monotonic(), None
        try:
            yield name
        except FAULTS as error:
            fault = error.as_json()
            raise
        except StorageError as full:
            fault = full.as_json()
            raise DeviceError(f"{name}: {full.message}", hint=full.hint) from full
        finally:
            lock.release()
            self._uses.append(Use(device=name, seconds=time.monotonic() - began, fault=fault))

    def _first_free(self, stopped: Callable[[], bool]) -> tuple[str, filelock.BaseFileLock]:
        self._folder.mkdir(parents=True, exist_ok=True)
        locks = [(name, filelock.FileLock(self._folder / _file_name(name), mode=0o600)) for name in self._names]
        while not stopped():
            for turn in range(len(locks)):
                name, lock = locks[(self._next + turn) % len(locks)]
                try:
                    lock.acquire(timeout=0)
                except filelock.Timeout:
                    continue
                self._next = (self._next + turn + 1) % len(locks)
                return name, lock
            time.sleep(_LOOK_S)
        raise InterruptedByUserError("the search stops, and no device is free")


def locks_folder() -> Path:
    """`search-devices` in $EDGEKIT_STATE_DIR, or in the user's state folder."""
    chosen = os.environ.get("EDGEKIT_STATE_DIR")
    return (Path(chosen) if chosen else platformdirs.user_state_path("edgekit")) / "search-devices"


def _file_name(device: str) -> str:
    return f"{sha256_bytes(device.encode())[:_NAME_DIGITS]}.lock"


@dataclass(frozen=True, kw_only=True)
class DeviceRecord:
    """What came of a device in one call of a search.

    Attributes:
        device: its name or URL.
        uses: how often it was held, faults included.
        held_s: for how long in all, s.
        faults: how often it failed.
        left_out: why it was not asked any more; empty for one that was.
    """

    device: str
    uses: int = 0
    held_s: float = 0.0
    faults: int = 0
    left_out: str = ""


class DeviceBook:
    """Counts what devices do; the coordinator keeps it.

    Args:
        names: of all devices.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._records = {name: DeviceRecord(device=name) for name in names}
        self._in_a_row = dict.fromkeys(names, 0)

    @property
    def usable(self) -> tuple[str, ...]:
        """Devices that were not left out, in their order."""
        return tuple(name for name, record in self._records.items() if not record.left_out)

    @property
    def records(self) -> tuple[DeviceRecord, ...]:
        """One for each device, in their order."""
        return tuple(self._records.values())

    def note(self, use: Use) -> bool:
        """Count one use.

        Returns:
            Whether the device is left out from now on.
        """
        record = self._records.get(use.device)
        if record is None:
            return False
        failed = use.fault is not None
        self._in_a_row[use.device] = self._in_a_row[use.device] + 1 if failed else 0
        left_out = record.left_out
        if failed and not left_out and self._in_a_row[use.device] >= MOST_FAULTS:
            left_out = f"failed {MOST_FAULTS} times in a row, last: {(use.fault or {}).get('message')}"
        self._records[use.device] = DeviceRecord(
            device=use.device,
            uses=record.uses + 1,
            held_s=record.held_s + use.seconds,
            faults=record.faults + failed,
            left_out=left_out,
        )
        return bool(left_out) and not record.left_out
