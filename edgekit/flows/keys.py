"""Signing keys: made, listed, exported, installed on devices and rotated there."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

from edgekit.bundle.sign import SigningKey
from edgekit.bundle.statement import MAX_COUNTER
from edgekit.core.device_entry import DeviceEntry
from edgekit.core.errors import ConfigurationError, EdgekitError, UsageError
from edgekit.core.events import Event, OnEvent, ignore
from edgekit.device.connect import connect
from edgekit.device.keys import KeyStore
from edgekit.device.sealing import Seal
from edgekit.flows.inventory import inventory


def new_key(name: str) -> dict[str, Any]:
    """Make a key.

    Raises:
        ConfigurationError: the name is taken or malformed.
    """
    return _document(name, KeyStore.find().new(name))


def key_documents() -> list[dict[str, Any]]:
    """All keys by name, with the devices whose entries name them."""
    store, entries = KeyStore.find(), inventory().entries().values()
    return [
        {**_document(name, store.get(name)), "devices": [one.name for one in entries if one.signing_key == name]}
        for name in store.names()
    ]


def export_key(name: str) -> dict[str, Any]:
    """The public half of a key.

    Raises:
        ConfigurationError: there is no such key.
    """
    key = KeyStore.find().get(name)
    return {**_document(name, key), "pem": key.public.pem()}


def install_key(name: str, entry: DeviceEntry, *, on_event: OnEvent = ignore) -> dict[str, Any]:
    """Have a device trust a key and take nothing that it has not signed; the inventory remembers that.

    Args:
        name: of the key.
        entry: the device.
        on_event: listener.

    Raises:
        ConfigurationError: there is no such key.
        VerificationError: the device trusts keys that we do not have.
    """
    KeyStore.find().get(name)
    signed = replace(entry, signing_key=name, unsigned=False)
    on_event(Event(phase="keys", message=f"installing {name} on {entry.name}"))
    with connect(signed) as device:
        found = Seal(signed).install(device)
    known = inventory()
    is_listed = entry.name in known.entries()
    if is_listed:
        known.change(signed)
    assert found.trust is not None
    return {"schema": "edgekit.trusted/1", "listed": is_listed, **asdict(found.trust), "counter": found.counter}


def rotate_key(name: str, *, on_event: OnEvent = ignore) -> dict[str, Any]:
    """Put a new key in the place of one, here and on every device of the inventory that trusts it.

    Devices that cannot be reached now are brought up to date by the next deploy; the old key stays here for that.

    Raises:
        ConfigurationError: there is no such key.
    """
    new, old = KeyStore.find().rotate(name)
    devices = []
    for entry in inventory().entries().values():
        if entry.signing_key != name:
            continue
        on_event(Event(phase="keys", message=f"installing the new {name} on {entry.name}"))
        reason = None
        try:
            with connect(entry) as device:
                Seal(entry).update(device)
        except EdgekitError as error:
            reason = error.message
        devices.append({"device": entry.name, "rotated": reason is None, "reason": reason})
    return {**_document(name, new), "before": old.public.id, "devices": devices}


def reset_counter(entry: DeviceEntry, counter: int, *, on_event: OnEvent = ignore) -> dict[str, Any]:
    """Set the rollback floor of a device, by a policy that its key signs: also to a lower number.

    Raises:
        ConfigurationError: the device has no signing key.
        UsageError: the counter is out of range.
    """
    if not 0 <= counter < MAX_COUNTER:
        raise UsageError(f"--counter {counter} is out of range", hint=f"take 0 to {MAX_COUNTER - 1}")
    if entry.signing_key is None:
        raise ConfigurationError(
            f"{entry.name} has no signing key", hint=f"edgekit keys install KEY --device {entry.name}"
        )
    on_event(Event(phase="keys", message=f"setting the counter of {entry.name}"))
    with connect(entry) as device:
        found = Seal(entry).install(device, floor=counter)
    assert found.trust is not None
    return {"schema": "edgekit.trusted/1", "listed": True, **asdict(found.trust), "counter": found.counter}


def _document(name: str, key: SigningKey) -> dict[str, Any]:
    return {"schema": "edgekit.key/1", "name": name, "id": key.public.id, "public": key.public.text}
