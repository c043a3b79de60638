"""Which machine answered under which name, so that an exchanged board and a copied SD card are noticed.

A copy of an SD card has the host key of the original, so the key alone does not tell the two apart. The machine-id
does, as far as the copy made itself a new one; where it did not, two names answer with one id, and that is told.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import platformdirs

from edgekit.core.device_entry import DeviceEntry
from edgekit.core.digest import canonical_json
from edgekit.core.errors import ConfigurationError, LockedError, TrustError
from edgekit.core.files import write_atomically
from edgekit.device.replies import Hello

SCHEMA = "edgekit.machines/1"
_LOCK_S = 10.0


def machines_path() -> Path:
    """`machines.json` in $EDGEKIT_STATE_DIR, or in the user's state folder."""
    chosen = os.environ.get("EDGEKIT_STATE_DIR")
    return (Path(chosen) if chosen else platformdirs.user_state_path("edgekit")) / "machines.json"


def recognise(entry: DeviceEntry, hello: Hello) -> None:
    """Remember a machine at the first contact, and refuse another one under its name later.

    Args:
        entry: the device; only real ones of the inventory are remembered.
        hello: what its agent says of itself.

    Raises:
        TrustError: another machine answers.
        ConfigurationError: what is remembered cannot be read.
    """
    if not _is_remembered(entry) or not hello.machine_id:
        return
    known = _read().get(entry.name)
    if known is None:
        _change(entry.name, hello.machine_id)
    elif known != hello.machine_id:
        raise TrustError(
            f"{entry.name} answers as another machine than before: its machine-id is {hello.machine_id[:12]}, it was "
            f"{known[:12]}",
            hint="is another board at this address, perhaps with a copied SD card? If it is the right one: "
            f"edgekit devices remove {entry.name}, then add it again",
            machine_id=hello.machine_id,
            known=known,
        )


def twins(entry: DeviceEntry, hello: Hello) -> list[str]:
    """A warning if other names answered with this machine's id; empty otherwise."""
    if not _is_remembered(entry) or not hello.machine_id:
        return []
    others = sorted(name for name, known in _read().items() if known == hello.machine_id and name != entry.name)
    if not others:
        return []
    who = f"{', '.join(others)} answered with the machine-id of {entry.name}"
    return [
        f"{who}: one machine of several names, or a copied SD card, which needs a new /etc/machine-id and host keys"
    ]


def forget(name: str) -> None:
    """Take the next machine that answers under this name for the right one."""
    if machines_path().exists():
        _change(name, None)


def _is_remembered(entry: DeviceEntry) -> bool:
    return not entry.is_emulated and "://" not in entry.name and not entry.url.startswith("local:")


def _read() -> dict[str, str]:
    path = machines_path()
    try:
        document = json.loads(path.read_bytes())
        if document["schema"] == SCHEMA:
            return {str(name): str(known) for name, known in document["machines"].items()}
        reason = f"its schema is {document['schema']!r}"
    except FileNotFoundError:
        return {}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        reason = "it is damaged"
    raise ConfigurationError(
        f"{path} cannot be read: {reason}", hint="take the edgekit that wrote it, or remove it: devices are met anew"
    )


def _change(name: str, machine_id: str | None) -> None:
    import filelock  # once in the life of a device

    path = machines_path()
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with filelock.FileLock(path.with_name(f".{path.name}.lock"), timeout=_LOCK_S, mode=0o600):
            machines = {**_read(), name: machine_id}
            kept = {name: known for name, known in machines.items() if known is not None}
            write_atomically(path, canonical_json({"schema": SCHEMA, "machines": kept}), mode=0o600)
    except filelock.Timeout as cause:
        raise LockedError(f"{path} is being changed by another edgekit", hint="try again") from cause
