"""The devices that the user has named, in devices.toml."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import filelock
import platformdirs

from edgekit.core.device_entry import LOCAL_NAME, DeviceEntry, Provenance
from edgekit.core.errors import ConfigurationError, HostKeyError, InputError, LockedError
from edgekit.core.files import require_readable, write_atomically
from edgekit.core.suggest import did_you_mean
from edgekit.device.devices_toml import checked_entry, checked_name, dump, parse
from edgekit.transports import Endpoint, HostKey, printable

FILE_NAME = "devices.toml"
LOCAL = DeviceEntry(name=LOCAL_NAME, url="local://", target="host")
"""This machine, which is a device even when no inventory names it."""

_MAX_BYTES = 4 * 1024 * 1024
_LOCK_S = 10.0


def config_folder() -> Path:
    """$EDGEKIT_CONFIG_DIR, or the user's configuration folder."""
    chosen = os.environ.get("EDGEKIT_CONFIG_DIR")
    return Path(chosen) if chosen else platformdirs.user_config_path("edgekit")


@dataclass(frozen=True, kw_only=True)
class Inventory:
    """Entries of one devices.toml.

    Attributes:
        path: the file; it need not exist.
    """

    path: Path

    @classmethod
    def find(cls, project: Path | None = None) -> Self:
        """The project's devices.toml if it has one, else the user's.

        Args:
            project: folder; None means the current one.
        """
        own = (project or Path.cwd()) / FILE_NAME
        return cls(path=own if own.exists() else config_folder() / FILE_NAME)

    def entries(self) -> dict[str, DeviceEntry]:
        """All devices by name, sorted.

        Raises:
            ConfigurationError: the file is not what it must be; the message names line and key.
            InputError: it cannot be read.
        """
        if not self.path.exists() and not self.path.is_symlink():
            return {}
        require_readable(self.path, what="inventory")
        if self.path.stat().st_size > _MAX_BYTES:
            raise ConfigurationError(f"{self.path} is larger than {_MAX_BYTES} bytes", hint="is it the right file?")
        try:
            text = self.path.read_bytes().decode("utf-8")
        except UnicodeDecodeError as cause:
            raise ConfigurationError(
                f"{self.path} is not UTF-8 (byte {cause.start})", hint="save it as UTF-8 in your editor"
            ) from cause
        return parse(text, self.path)

    def get(self, name: str) -> DeviceEntry:
        """A device by its name; "local" and URLs need no entry.

        Raises:
            ConfigurationError: there is no such device.
        """
        if "://" in name:
            return DeviceEntry(
                name=name, url=str(Endpoint.parse(name)), target="host" if name.startswith("local:") else None
            )
        entries = self.entries()
        if name in entries:
            return entries[name]
        if name == LOCAL.name:
            return LOCAL
        checked_name(name)
        raise ConfigurationError(
            f"there is no device {name!r} in {self.path}",
            hint=did_you_mean(name, [*entries, LOCAL.name]) or f"edgekit devices add {name} ssh://pi@raspberrypi.local",
        )

    def select(
        self, names: Iterable[str] = (), *, labels: Iterable[str] = (), groups: Iterable[str] = ()
    ) -> list[DeviceEntry]:
        """Devices by name, in one of the groups, and with all of the labels.

        Raises:
            ConfigurationError: none is left, a group or a name is unknown, or a name is given twice.
        """
        names, labels, groups = list(names), set(labels), set(groups)
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ConfigurationError(f"the device {twice[0]!r} is named twice", hint="name each device once")
        chosen = [self.get(name) for name in names] if names else list(self.entries().values())
        chosen = [entry for entry in chosen if labels <= set(entry.labels)]
        if groups:
            self._check_groups(groups)
            chosen = [entry for entry in chosen if groups & set(entry.groups)]
        if not chosen:
            asked = f" with the labels {', '.join(sorted(labels))}" if labels else ""
            raise ConfigurationError(f"there is no device{asked} in {self.path}", hint="edgekit devices list")
        return chosen

    def _check_groups(self, groups: Iterable[str]) -> None:
        known = sorted({group for entry in self.entries().values() for group in entry.groups})
        for group in sorted(groups):
            if group not in known:
                raise ConfigurationError(
                    f"no device in {self.path} is in the group '{printable(group, limit=80)}'",
                    hint=did_you_mean(group, known) or f"the groups are {', '.join(known) or 'none'}",
                )

    def add(self, entry: DeviceEntry) -> None:
        """Add a device.

        Raises:
            ConfigurationError: the name is taken or reserved, or a field is malformed.
        """
        entry = checked_entry(entry)

        def change(entries: dict[str, DeviceEntry]) -> None:
            if entry.name in entries:
                raise ConfigurationError(
                    f"there is a device {entry.name!r} already", hint=f"edgekit devices remove {entry.name}"
                )
            entries[entry.name] = entry

        self._change(change)

    def listed(self, name: str) -> DeviceEntry:
        """A device that is in the file, which can be changed; "local" and URLs are not.

        Raises:
            ConfigurationError: there is no such device.
        """
        return self._known(self.entries(), name)

    def change(self, entry: DeviceEntry) -> None:
        """Put an entry in the place of the one of its name.

        Raises:
            ConfigurationError: there is none, or a field is malformed.
        """
        entry = checked_entry(entry)

        def change(entries: dict[str, DeviceEntry]) -> None:
            entries[self._known(entries, entry.name).name] = entry

        self._change(change)

    def remove(self, name: str) -> DeviceEntry:
        """Forget a device; returns what was known of it.

        Raises:
            ConfigurationError: there is no such device.
        """
        removed: list[DeviceEntry] = []

        def change(entries: dict[str, DeviceEntry]) -> None:
            removed.append(entries.pop(self._known(entries, name).name))

        self._change(change)
        return removed[0]

    def trust(self, name: str, shown: HostKey, *, fingerprint: str | None) -> DeviceEntry:
        """Pin the key that a device shows.

        Args:
            name: of the device.
            shown: what `trust.scan_host_key` found.
            fingerprint: what a person read on the device; None trusts on first use, and is recorded as that.

        Raises:
            HostKeyError: the fingerprint is another one, or another key is pinned already.
            ConfigurationError: there is no such device.
        """
        if fingerprint is not None and fingerprint.strip() != shown.fingerprint:
            raise HostKeyError(
                f"{name} shows {shown.fingerprint}, expected was {fingerprint.strip()}",
                hint="someone may be in between; compare with `ssh-keygen -lf` on the device itself",
            )
        pinned: list[DeviceEntry] = []

        def change(entries: dict[str, DeviceEntry]) -> None:
            entry = self._known(entries, name)
            if entry.host_keys and str(shown) not in entry.host_keys and fingerprint is None:
                raise HostKeyError(
                    f"{name} has another pinned key and now shows {shown.fingerprint}",
                    hint=f"if that is right: edgekit devices trust {name} --fingerprint {shown.fingerprint}",
                )
            provenance = Provenance.TOFU if fingerprint is None else Provenance.PINNED
            if entry.host_keys == (str(shown),) and entry.trust is Provenance.PINNED:
                provenance = Provenance.PINNED
            entries[name] = replace(entry, host_keys=(str(shown),), trust=provenance)
            pinned.append(entries[name])

        self._change(change)
        return pinned[0]

    def _known(self, entries: dict[str, DeviceEntry], name: str) -> DeviceEntry:
        if name not in entries:
            raise ConfigurationError(
                f"there is no device '{printable(name, limit=80)}' in {self.path}",
                hint=did_you_mean(name, entries) or "edgekit devices list",
            )
        return entries[name]

    def _change(self, change: Callable[[dict[str, DeviceEntry]], None]) -> None:
        """Read, change and write under a lock; what is written was checked as if it had been read."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            lock = filelock.FileLock(self.path.with_name(f".{self.path.name}.lock"), timeout=_LOCK_S, mode=0o600)
            with lock:
                entries = self.entries()
                change(entries)
                checked = parse(dump(entries.values()), self.path)
                write_atomically(self.path, dump(checked.values()).encode(), mode=0o600)
        except filelock.Timeout as cause:
            raise LockedError(f"{self.path} is being changed by another edgekit", hint="try again") from cause
        except PermissionError as cause:
            raise InputError(
                f"{self.path} cannot be written: {cause.strerror}", hint="set EDGEKIT_CONFIG_DIR"
            ) from cause
