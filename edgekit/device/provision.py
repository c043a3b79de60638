"""A runtime for a device that has none, and needs no internet for it: wheels travel from here as a runtime bundle."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgekit.core.digest import canonical_json, sha256_file
from edgekit.core.errors import UnsupportedError
from edgekit.core.events import Event, OnEvent, ignore
from edgekit.device import native, wheels
from edgekit.device.client import DeviceClient
from edgekit.device.replies import ProbeResult


def needed(client: DeviceClient, runtime: str, *, on_event: OnEvent = ignore) -> bool:
    """Whether a runtime does not work on the device yet, found out by constructing an interpreter there."""
    facts = client.probe([runtime], on_event=on_event).runtimes.get(runtime)
    return facts is None or not facts.ok


def provision(client: DeviceClient, runtime: str, *, offline: bool = False, on_event: OnEvent = ignore) -> ProbeResult:
    """Put a runtime on the device and prove that it works there.

    Args:
        client: an open connection.
        runtime: name of the runner, e.g. "litert".
        offline: use only wheels that were downloaded before.
        on_event: hears of download, upload and installation.

    Returns:
        What the device now says of the runtime.

    Raises:
        UnsupportedError: there are no wheels for this machine, or the installed runtime does not work there.
        NetworkError: the wheels cannot be downloaded here.
        StorageError: the device has no space.
    """
    wanted = wheels.plan(runtime, client.hello)
    files = wheel_files(wanted, offline=offline, on_event=on_event)
    content = manifest(runtime, client.hello.machine, files)
    for file in files:
        facts = content["files"][file.name]
        client.stage(file, sha256=facts["sha256"], size_bytes=facts["size"], on_event=on_event)
    client.activate(canonical_json(content).decode(), on_event=on_event)
    found = client.probe([runtime], on_event=on_event)
    if runtime not in found.runtimes or not found.runtimes[runtime].ok:
        reason = found.runtimes[runtime].reason if runtime in found.runtimes else "the agent does not know it"
        system = f"sudo apt install python3-{wanted.from_system}" if wanted.from_system else "use another OS image"
        raise UnsupportedError(f"{runtime} is installed but does not work there: {reason}", hint=system)
    return found


def wheel_files(wanted: wheels.Download, *, offline: bool = False, on_event: OnEvent = ignore) -> list[Path]:
    """The wheels that make a runtime on a machine: downloaded, and the native runner built where there is one.

    Args:
        wanted: what `wheels.plan` chose.
        offline: use only wheels that were downloaded before.
        on_event: hears of download and build.

    Raises:
        UnsupportedError: the index has no such wheels, or there is no compiler for the machine.
        NetworkError: the wheels cannot be downloaded.
    """
    on_event(
        Event(phase="download", message=f"wheels of {wanted.runtime} for Python {wanted.python}, {wanted.platforms[0]}")
    )
    files = wheels.fetch(wanted, offline=offline)
    if not wanted.native:
        return files
    on_event(Event(phase="build", message=f"{wanted.native} for {wanted.machine}"))
    return [native.build(wanted.native, files[0], wanted.machine)]


def manifest(runtime: str, machine: str, files: list[Path]) -> Mapping[str, Any]:
    """The manifest of a runtime bundle: the same wheels give the same digest.

    Args:
        runtime: name of the runner.
        machine: as the device's `uname -m` prints it.
        files: wheels.
    """
    return {
        "schema": "edgekit.manifest/1",
        "kind": "runtime",
        "target": "",
        "recipe": {},
        "lineage": [],
        "created_by": "edgekit",
        "compatible": {"machine": [machine], "formats": list(wheels.FORMATS[runtime])},
        "runtime": runtime,
        "files": {file.name: {"sha256": sha256_file(file), "size": file.stat().st_size} for file in files},
        "golden": None,
        "counter": 0,
    }
