"""Signing keys: made, listed, exported, installed on devices and rotated there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from edgekit.bundle.pack import Bundle
from edgekit.bundle.sign import SigningKey
from edgekit.bundle.statement import MAX_COUNTER, Audience, SignedRelease, read_release, seal_release
from edgekit.core.device_entry import DeviceEntry
from edgekit.core.errors import ConfigurationError, EdgekitError, UsageError
from edgekit.core.events import Event, OnEvent, ignore
from edgekit.core.files import require_readable, write_atomically
from edgekit.device.connect import connect
from edgekit.device.keys import KeyStore
from edgekit.device.sealing import Seal
from edgekit.device.watermarks import Watermarks
from edgekit.flows.inventory import inventory

_MAX_ENVELOPE_BYTES = 64 * 1024
_MAX_NAME = 256
"""As the agent has them."""


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


def sign_bundle(
    path: Path, key: str | None, audience: Audience, output: Path, *, counter: int | None = None
) -> dict[str, Any]:
    """Sign a bundle for a device or a group that is not reached from here; `edgekit deploy --envelope` takes it there.

    Args:
        path: the bundle.
        key: name of the key; None takes the only one.
        audience: for whom; the inventory need not know it.
        output: gets the envelope.
        counter: above all that were given out; None takes the next one that this computer knows of.

    Raises:
        ConfigurationError: there is no such key.
        UsageError: the counter was given out already or is out of range, nobody can have the name, or there are several
            keys and none is named.
        VerificationError: the bundle is damaged, or there is no counter left.
    """
    key = key or _only_key()
    signer, bundle = KeyStore.find().get(key), Bundle.open(path)
    if not audience.name.isprintable() or not 0 < len(audience.name) <= _MAX_NAME:
        raise UsageError(f"nobody can have the name {audience.name!r:.100}", hint="take the one in devices.toml")
    given = _counter(audience, counter)
    text = seal_release(bundle.manifest.text(), audience, given, signer)
    write_atomically(output, text.encode() + b"\n")
    return {
        "schema": "edgekit.envelope/1",
        "path": str(output),
        "bundle_sha256": bundle.digest,
        "audience": {audience.kind: audience.name},
        "counter": given,
        "key": key,
        "id": signer.public.id,
    }


def read_envelope(path: Path) -> SignedRelease:
    """The envelope in a file.

    Raises:
        InputError: it cannot be read.
        VerificationError: it is none.
    """
    require_readable(path, what="envelope")
    with path.open("rb") as file:
        data = file.read(_MAX_ENVELOPE_BYTES + 2)
    text = data.decode("ascii", "replace") if len(data) <= _MAX_ENVELOPE_BYTES + 1 else ""
    return read_release(text, str(path))


def _only_key() -> str:
    names = KeyStore.find().names()
    if len(names) != 1:
        found = f"there are {len(names)} signing keys: {', '.join(names)}" if names else "there is no signing key"
        raise UsageError(f"no key is named, and {found}", hint="give --key NAME" if names else "edgekit keys new NAME")
    return names[0]


def _counter(audience: Audience, wanted: int | None) -> int:
    """The counter for a release that is signed now."""
    if wanted is not None and not 0 <= wanted < MAX_COUNTER:
        raise UsageError(f"--counter {wanted} is out of range", hint=f"take 0 to {MAX_COUNTER - 1}")
    marks, entries, is_group = Watermarks(), inventory().entries(), audience.kind == "group"
    members = [entry.name for entry in entries.values() if audience.name in entry.groups]
    groups = entries[audience.name].groups if not is_group and audience.name in entries else ()
    issue: Callable[[], int] = (
        (lambda: marks.issue_for_group(audience.name, members))
        if is_group
        else (lambda: marks.issue(audience.name, marks.get(audience.name).counter, groups=groups))
    )
    if wanted is None:
        return issue()
    before = marks.issued_for_group(audience.name) if is_group else marks.get(audience.name).issued
    if wanted <= before:
        raise UsageError(
            f"the counter {wanted} was given out for {audience} already, the highest is {before}",
            hint="leave --counter out, or take a higher one",
        )
    for name in members if is_group else ():
        marks.given(name, wanted)
    marks.given(audience.name, wanted, is_group=is_group)
    return wanted


def _document(name: str, key: SigningKey) -> dict[str, Any]:
    return {"schema": "edgekit.key/1", "name": name, "id": key.public.id, "public": key.public.text}
