"""Emulated devices: brought up, put into the inventory with their pinned key, and taken down again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from edgekit.core.device_entry import DeviceEntry, Provenance
from edgekit.core.digest import sha256_file
from edgekit.core.errors import ConfigurationError, UnsupportedError
from edgekit.core.events import Event, OnEvent, ignore
from edgekit.core.target import Target
from edgekit.device import wheels
from edgekit.device.provision import wheel_files
from edgekit.emulators import (
    EmulatedDevice,
    MachineSpec,
    best_backend,
    debian_name,
    default_cache_dir,
    default_state_dir,
    emulator,
    list_devices,
    prune,
    read_record,
    user_land,
)
from edgekit.flows.inventory import inventory


def bring_up(
    target: Target,
    *,
    backend: str | None = None,
    name: str | None = None,
    disk_bytes: int | None = None,
    on_event: OnEvent = ignore,
) -> tuple[EmulatedDevice, str]:
    """Bring up an emulated device of a target and put it into the inventory.

    Args:
        target: the kind of machine.
        backend: "user", "system" or "loopback"; None takes the best that works here.
        name: of the device; None takes the target's.
        disk_bytes: size of its disk; None takes the target's.
        on_event: listener.

    Returns:
        The device, and a sentence on why this backend was taken.

    Raises:
        UnsupportedError: the target cannot be emulated, or the backend not here.
        ConfigurationError: the inventory has another device of this name.
        NetworkError: the wheels of a runtime that comes with its system are not cached and cannot be downloaded.
    """
    name = name or target.name.replace("_", "-")
    devices = inventory()
    known = devices.entries().get(name)
    if known is not None and known.emulator is None:
        raise ConfigurationError(f"{name!r} is a real device in {devices.path}", hint="choose another --name")
    device, reason = start_device(
        target,
        backend=backend,
        name=name,
        state_dir=default_state_dir(),
        disk_bytes=disk_bytes,
        on_event=on_event,
    )
    if known is not None:
        devices.remove(name)
    devices.add(entry_of(device))
    return device, reason


def start_device(
    target: Target,
    *,
    backend: str | None,
    name: str,
    state_dir: Path,
    disk_bytes: int | None = None,
    on_event: OnEvent = ignore,
) -> tuple[EmulatedDevice, str]:
    """As `bring_up`, for a device that no inventory knows.

    Args:
        target, backend, name, disk_bytes, on_event: as of `bring_up`.
        state_dir: folder of the devices among which this one's name is its own.

    Raises:
        UnsupportedError, NetworkError: as for `bring_up`.
        InputError: there is a device of this name.
    """
    machine = machine_of(target)
    if disk_bytes is not None:
        machine = replace(machine, disk_bytes=disk_bytes)
    if backend is None:
        choice = best_backend()
        chosen, reason = choice.emulator, choice.reason
    else:
        chosen = emulator(backend)
        reason = f"{chosen.backend}: {chosen.summary}"
    if chosen.preinstalls:
        machine = with_runtimes(machine, target, on_event=on_event)
    device = chosen.up(
        machine,
        name=name,
        state_dir=state_dir,
        on_event=lambda message: on_event(Event(phase="emulator", message=message)),
    )
    return device, reason


def entry_of(device: EmulatedDevice) -> DeviceEntry:
    """An emulated device as a device, its key pinned."""
    return DeviceEntry(
        name=device.name,
        url=device.url,
        target=device.target,
        host_keys=(device.host_key,),
        trust=Provenance.PINNED,
        identity_file=device.identity_file,
        emulator=device.backend,
    )


def machine_of(target: Target) -> MachineSpec:
    """The machine that a target's [emulator] section describes, without any runtime.

    Raises:
        UnsupportedError: it has no such section.
    """
    if target.emulator is None:
        raise UnsupportedError(f"{target.name} has no [emulator] section", hint="edgekit targets shows which ones have")
    spec = target.emulator
    return MachineSpec(
        target=target.name,
        cpu=spec.cpu,
        cores=spec.cores,
        ram_bytes=spec.ram_bytes,
        disk_bytes=spec.disk_bytes,
        model=spec.model,
        debian_suite=spec.suite,
        arch=debian_name(target.arch),
    )


def with_runtimes(machine: MachineSpec, target: Target, *, on_event: OnEvent = ignore) -> MachineSpec:
    """The machine with the wheels of the runtimes that come with its system.

    Raises:
        UnsupportedError: there are no such wheels, or no compiler for the native runner.
        NetworkError: they are not cached and cannot be downloaded.
    """
    names = target.emulator.runtimes if target.emulator else ()
    files = [file for name in names for file in wheel_files(wheels.plan(name, user_land(machine)), on_event=on_event)]
    return replace(machine, wheels={str(file.resolve()): sha256_file(file) for file in files})


def take_down(name: str) -> None:
    """Stop an emulated device, remove what it held, and forget it.

    Raises:
        InputError: there is none of this name.
    """
    device = read_record(default_state_dir() / name)
    emulator(device.backend).down(name, state_dir=default_state_dir())
    devices = inventory()
    known = devices.entries().get(name)
    if known is not None and known.emulator is not None:
        devices.remove(name)


def emulated_device_document(device: EmulatedDevice) -> dict[str, Any]:
    """A device as JSON."""
    return {
        "name": device.name,
        "target": device.target,
        "backend": device.backend,
        "url": device.url,
        "running": device.running,
        "started_by": str(device.started_by),
        "note": device.note,
    }


def emulated_devices() -> list[dict[str, Any]]:
    """All emulated devices on this computer, running or not."""
    return [emulated_device_document(device) for device in list_devices(default_state_dir())]


def prune_images(*, dry_run: bool) -> dict[str, Any]:
    """Remove the shared images that no emulated device needs.

    Returns:
        The document that `edgekit emulator prune --json` prints.
    """
    images = prune(default_cache_dir(), state_dir=default_state_dir(), dry_run=dry_run)
    removed = [image for image in images if not image.is_kept]
    return {
        "schema": "edgekit.emulator-prune/1",
        "dry_run": dry_run,
        "removed": [{"image": image.name, "size_bytes": image.size_bytes} for image in removed],
        "kept": [
            {"image": image.name, "size_bytes": image.size_bytes, "used_by": list(image.used_by)}
            for image in images
            if image.is_kept
        ],
        "freed_bytes": sum(image.size_bytes for image in removed),
    }
