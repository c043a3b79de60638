"""The devices of one test run: emulated ones brought up once for all workers, each lent to one test at a time."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from filelock import FileLock, Timeout

from edgekit.config.targets import load_target
from edgekit.core.device_entry import BOARD_SCHEME, DeviceEntry
from edgekit.core.digest import sha256_bytes
from edgekit.core.errors import InputError, LockedError, UnsupportedError
from edgekit.core.target import Target
from edgekit.emulators import EmulatedDevice, best_backend, emulator, list_devices
from edgekit.flows.api import Device
from edgekit.flows.emulator import entry_of, start_device
from edgekit.flows.inventory import inventory
from edgekit.pytest_plugin.hints import hinted
from edgekit.pytest_plugin.marker import Wanted

_BRING_UP_S = 1800.0
"""How long a worker waits for another one that brings a device up, which may have to download a system."""
_LEND_S = 3600.0


@dataclass(frozen=True, kw_only=True)
class Devices:
    """What all workers of a run know through a folder of theirs.

    Attributes:
        folder: private to the user; it exists once a device was wanted.
    """

    folder: Path

    @contextmanager
    def lent(self, wanted: Wanted) -> Iterator[Device]:
        """A device for one test; other tests that want it wait.

        Args:
            wanted: what the marker says.

        Raises:
            EdgekitError: there is no such device or target, or the device could not be brought up.
            LockedError: other tests hold the device for an hour.
        """
        with hinted():
            if not self.folder.exists():
                self._sweep()
                self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            entry = self._entry(wanted)
            lock = FileLock(self.folder / f"{sha256_bytes(entry.url.encode())[:16]}.lent", timeout=_LEND_S)
            try:
                lock.acquire()
            except Timeout as cause:
                raise LockedError(
                    f"other tests have held {entry.name} for {_LEND_S:.0f} s", hint="is one of them hanging?"
                ) from cause
        try:
            device = Device(entry)
            try:
                yield device
            finally:
                device.close()
        finally:
            lock.release()

    def take_down(self) -> None:
        """Remove all emulated devices of the run."""
        for device in list_devices(self.folder):
            with suppress(InputError):  # it is gone already
                emulator(device.backend).down(device.name, state_dir=self.folder)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _sweep(self) -> None:
        """Take down what runs left that were killed: their folders have the number of a process that is gone."""
        for folder in self.folder.parent.glob("edgekit-pytest-*-*"):
            process = folder.name.split("-")[2]
            with suppress(FileNotFoundError):  # another run sweeps too
                is_ours = not folder.is_symlink() and folder.stat().st_uid == os.getuid()
                if is_ours and process.isdecimal() and not Path("/proc", process).exists():
                    Devices(folder=folder).take_down()

    def _entry(self, wanted: Wanted) -> DeviceEntry:
        if wanted.device is not None:
            entry = inventory().get(wanted.device)
            return entry if wanted.target is None else replace(entry, target=wanted.target)
        assert wanted.target is not None
        target = load_target(wanted.target, project_dir=Path.cwd())
        if target.board is not None:
            url = f"{BOARD_SCHEME}://{target.name}"
            return DeviceEntry(name=url, url=url, target=target.name)
        return replace(entry_of(self._emulated(target, wanted.backend)), target=wanted.target)

    def _emulated(self, target: Target, backend: str | None) -> EmulatedDevice:
        """The running device of a target, brought up by whoever comes first."""
        if target.emulator is not None:
            _require(backend)
        name = "-".join(filter(None, (target.name.replace("_", "-"), backend)))
        with FileLock(self.folder / f"{name}.up", timeout=_BRING_UP_S):
            known = {device.name: device for device in list_devices(self.folder)}
            if name in known and known[name].running:
                return known[name]
            if name in known:  # it died
                emulator(known[name].backend).down(name, state_dir=self.folder)
            return start_device(target, backend=backend, name=name, state_dir=self.folder)[0]


def _require(backend: str | None) -> None:
    """Skip the test where the emulator cannot run, but not in CI, where a skip would go unseen."""
    try:
        chosen = best_backend().emulator if backend is None else emulator(backend)
        reasons = [f"{item.what} is missing ({item.remedy})" for item in chosen.missing()]
    except UnsupportedError as missing:
        reasons = [f"{missing.message} ({missing.hint})"]
    if not reasons:
        return
    if os.environ.get("CI", "").lower() in ("true", "1"):
        raise UnsupportedError("; ".join(reasons), hint="install it, or unset CI to skip these tests")
    pytest.skip("; ".join(reasons))
