"""Emulated devices, one of each kind a session, put into the inventory of the test that asks for one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edgekit import emulators
from edgekit.config.targets import load_target
from edgekit.core.device_entry import DeviceEntry, Provenance
from edgekit.core.errors import DeadlineError, NetworkError, UnsupportedError
from edgekit.device.inventory import Inventory
from edgekit.emulators import EmulatedDevice, Emulator, MachineSpec, VulkanDriver, emulator
from edgekit.flows.api import Device
from tests.models.command import warm_child

__all__ = ["warm_child"]

Edgekit = Callable[..., dict[str, Any]]

EMULATED_PI = [pytest.mark.edge(target="rpi4", backend="user"), pytest.mark.emulated_pi, pytest.mark.ssh]
"""Marks of a test on the emulated Raspberry Pi 4 (qemu-user), see the fixture `rpi4`."""


def machine_of(target_name: str) -> MachineSpec:
    """What a target's file says of its emulated machine."""
    spec = load_target(target_name).emulator
    assert spec is not None
    return MachineSpec(
        target=target_name,
        cpu=spec.cpu,
        cores=spec.cores,
        ram_bytes=spec.ram_bytes,
        disk_bytes=spec.disk_bytes,
        model=spec.model,
        debian_suite=spec.suite,
    )


def usable(backend: str) -> Emulator:
    """The emulator, or a skip that says what is missing."""
    found = emulator(backend)
    if missing := found.missing():
        pytest.skip("; ".join(f"{item.what} is missing ({item.remedy})" for item in missing))
    return found


def entry_for(device: EmulatedDevice, *, target: str | None = None) -> DeviceEntry:
    """The inventory entry that `edgekit emulator up` writes."""
    return DeviceEntry(
        name=device.name,
        url=device.url,
        target=target or device.target,
        host_keys=(device.host_key,),
        trust=Provenance.PINNED,
        identity_file=device.identity_file,
        emulator=device.backend,
    )


@pytest.fixture(scope="session")
def software_gpu(cache_dir: Path) -> VulkanDriver:
    """SwiftShader, from the lasting cache of emulators."""
    try:
        return emulators.software_gpu(cache_dir=cache_dir / "emulators", on_event=print)
    except (NetworkError, DeadlineError, UnsupportedError) as error:
        pytest.skip(f"Debian's chromium-common cannot be fetched: {error.message} ({error.hint})")


@pytest.fixture(scope="session")
def emulated_pi(tmp_path_factory: pytest.TempPathFactory, cache_dir: Path) -> Iterator[EmulatedDevice]:
    """An emulated Raspberry Pi 4 of this worker's own, for the whole session (qemu-user)."""
    found, state_dir = usable("user"), tmp_path_factory.mktemp("pi")
    device = found.up(machine_of("rpi4"), name="pi", state_dir=state_dir, cache_dir=cache_dir / "emulators")
    yield device
    found.down("pi", state_dir=state_dir)


@pytest.fixture
def rpi4(edge_device: Device) -> DeviceEntry:
    """The emulated Pi that the marker `edge` asks for, known to this test's inventory as `pi`."""
    entry = replace(edge_device.entry, name="pi")
    Inventory.find().add(entry)
    return entry


@pytest.fixture
def edgekit(tmp_path: Path) -> Edgekit:
    """`edgekit(...)` runs a command with --json in a fresh folder, returns its document; `fails` is the exit code."""

    def run(*arguments: object, fails: int = 0) -> dict[str, Any]:
        done = subprocess.run(
            [sys.executable, "-m", "edgekit.cli", *map(str, arguments), "--json"],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env=dict(os.environ),
            timeout=900,
        )
        assert done.returncode == fails, f"exit {done.returncode}\n{done.stderr}\n{done.stdout[-2000:]}"
        document: dict[str, Any] = json.loads(done.stdout)
        return document

    return run
