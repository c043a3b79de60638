"""The inventory: devices added, removed, trusted and cleaned up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgekit.config.project import find_project
from edgekit.config.targets import load_target
from edgekit.core.device_entry import DeviceEntry, Provenance
from edgekit.core.errors import HostKeyError, UsageError
from edgekit.core.files import require_readable
from edgekit.device.connect import connect
from edgekit.device.inventory import Inventory
from edgekit.device.keys import KeyStore
from edgekit.device.machines import forget
from edgekit.device.trust import scan_host_key
from edgekit.device.watermarks import Watermarks
from edgekit.flows.fleet.history import Histories


def inventory() -> Inventory:
    """The inventory that counts in the working folder: the project's devices.toml if it has one, else the user's."""
    project = find_project(Path.cwd())
    return Inventory.find(None if project is None else project.parent)


def device_documents() -> list[dict[str, Any]]:
    """All devices, by name."""
    return [_document(entry) for entry in inventory().entries().values()]


def add_device(
    name: str,
    url: str,
    *,
    target: str | None = None,
    identity: Path | None = None,
    host_key: str | None = None,
    labels: tuple[str, ...] = (),
    groups: tuple[str, ...] = (),
    signing_key: str | None = None,
) -> dict[str, Any]:
    """Add a device; it takes unsigned releases unless a key is named.

    Raises:
        ConfigurationError: the name is taken, or a value is malformed.
        InputError: there is no such key file.
    """
    if signing_key is not None:
        KeyStore.find().get(signing_key)
    if identity is not None:
        require_readable(identity.expanduser(), what="key file")
    if target is not None:
        load_target(target, project_dir=Path.cwd())
    entry = DeviceEntry(
        name=name,
        url=url,
        target=target,
        identity_file=None if identity is None else identity.expanduser().absolute(),
        host_keys=() if host_key is None else (host_key,),
        trust=Provenance.KNOWN_HOSTS if host_key is None else Provenance.PINNED,
        labels=tuple(sorted(labels)),
        groups=tuple(sorted(groups)),
        signing_key=signing_key,
        unsigned=signing_key is None,
    )
    inventory().add(entry)
    return _document(entry)


def remove_device(name: str) -> dict[str, Any]:
    """Forget a device.

    Raises:
        ConfigurationError: there is none of this name.
    """
    removed = inventory().remove(name)
    forget(name)
    Watermarks().forget(name)
    Histories.usual().forget(name)
    return _document(removed)


def trust_device(name: str, *, fingerprint: str | None, tofu: bool) -> dict[str, Any]:
    """Pin what the device shows now.

    Args:
        name: of the device.
        fingerprint: what a person read on the device.
        tofu: trust it unseen.

    Raises:
        UsageError: neither or both were given.
        HostKeyError: the device shows another key.
    """
    known = inventory()
    entry = known.listed(name)
    if fingerprint is not None and tofu:
        raise UsageError("--fingerprint and --tofu contradict each other", hint="give one of them")
    shown = scan_host_key(entry)
    if fingerprint is None and not tofu:
        raise HostKeyError(
            f"{name} shows the host key {shown.fingerprint}; nobody has compared it yet",
            hint=f"compare it on the device, then: edgekit devices trust {name} --fingerprint {shown.fingerprint}",
            fingerprint=shown.fingerprint,
        )
    trusted = known.trust(name, shown, fingerprint=fingerprint)
    forget(name)  # a person vouches for what answers now
    return _document(trusted) | {"fingerprint": shown.fingerprint}


def collect_on(name: str, *, keep: int, data: bool) -> dict[str, Any]:
    """Remove old releases from a device."""
    with connect(inventory().get(name)) as device:
        found = device.collect(keep=keep, data=data)
    return {
        "schema": "edgekit.collect/1",
        "device": name,
        "removed": list(found.removed),
        "freed_bytes": found.freed_bytes,
    }


def _document(entry: DeviceEntry) -> dict[str, Any]:
    return {
        "schema": "edgekit.device/1",
        "name": entry.name,
        "url": entry.url,
        "target": entry.target,
        "trust": str(entry.trust),
        "labels": list(entry.labels),
        "groups": list(entry.groups),
        "signing_key": entry.signing_key,
        "unsigned": entry.unsigned,
        "emulator": entry.emulator,
    }
