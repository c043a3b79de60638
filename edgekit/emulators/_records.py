"""Device records: the JSON file by which another process can list, reach and remove a device."""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from edgekit.core.errors import InputError
from edgekit.core.files import write_atomically
from edgekit.emulators._processes import HostProcess
from edgekit.emulators._types import EmulatedDevice, MachineSpec, StartedBy

SCHEMA = "edgekit.emulated-device/1"
_RECORD = "device.json"


def write_record(folder: Path, device: EmulatedDevice) -> None:
    """Store the device's record in its folder, atomically.

    Raises:
        StorageError: the disk is full.
    """
    document = {"schema": SCHEMA, "pid": device.pid, **asdict(device)}
    text = json.dumps(document, indent=2, sort_keys=True, default=str)
    write_atomically(folder / _RECORD, text.encode() + b"\n", mode=0o600)


def read_record(folder: Path) -> EmulatedDevice:
    """The record in a device's folder.

    Raises:
        InputError: there is none, or this version cannot read it.
    """
    file = folder / _RECORD
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
        schema = document.get("schema")
        if schema == SCHEMA:
            return _device(document)
    except FileNotFoundError as cause:
        raise InputError(
            f"there is no emulated device {folder.name!r}", hint="edgekit emulator list shows those that exist"
        ) from cause
    except (ValueError, KeyError, TypeError, AttributeError) as cause:
        raise InputError(f"{file} is damaged: {cause}", hint=f"remove the folder {folder}") from cause
    raise InputError(f"{file} has the schema {schema!r}, not {SCHEMA}", hint="it was written by another edgekit")


def list_devices(state_dir: Path) -> list[EmulatedDevice]:
    """All recorded devices, by name; `EmulatedDevice.running` tells which of them live."""
    found = []
    for file in sorted(state_dir.glob(f"*/{_RECORD}")):
        try:
            found.append(read_record(file.parent))
        except InputError:
            continue
    return found


def _device(document: dict[str, Any]) -> EmulatedDevice:
    document.setdefault("images", None)  # records of older versions do not tell
    known = {field.name: document[field.name] for field in fields(EmulatedDevice)}
    process, images = known["process"], known["images"]
    return EmulatedDevice(
        **{
            **known,
            "identity_file": Path(known["identity_file"]),
            "cache_dir": Path(known["cache_dir"]),
            "machine": MachineSpec(**known["machine"]),
            "process": None if process is None else HostProcess(**process),
            "started_by": StartedBy(known["started_by"]),
            "images": None if images is None else tuple(map(Path, images)),
        }
    )
