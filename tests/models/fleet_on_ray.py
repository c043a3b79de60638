"""A rollout by the executor for Ray, as a process of its own; devices can be told to take their worker along."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

from edgekit.bundle.pack import Bundle
from edgekit.core.device_entry import DeviceEntry
from edgekit.device.client import DeviceClient
from edgekit.device.connect import connect
from edgekit.flows.deploy import Proof
from edgekit.flows.fleet.fleet import FleetRequest, deploy_fleet
from edgekit.flows.fleet.order import Order, Release
from edgekit.flows.fleet.ray_executor import on_ray
from edgekit.flows.fleet.rollout import Rules
from edgekit.flows.fleet.waves import Amount, parse_waves
from edgekit.selftest.lab.fleet import TARGET, LabFleet, Trouble, lab_target

ROOT = Path(__file__).parents[2]
_LIMIT_S = 300.0


def begun(
    fleet: LabFleet, bundle: Bundle, address: str, *, parallel: int = 2, waves: str = "100%", resume: bool = False
) -> subprocess.Popen[str]:
    """A rollout that goes on in another process; the devices are healthy and in folders of this computer."""
    order = {
        "folder": str(fleet.folder),
        "names": list(fleet.troubles),
        "bundle": str(bundle.path),
        "address": address,
        "parallel": parallel,
        "waves": waves,
        "resume": resume,
    }
    command = [sys.executable, "-c", f"from {__name__} import main; main({json.dumps(order)!r})"]
    return subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)


def document_of(rollout: subprocess.Popen[str]) -> dict[str, Any]:
    """What a rollout says at its end."""
    said, _ = rollout.communicate(timeout=_LIMIT_S)
    assert rollout.returncode == 0, rollout.returncode
    document: dict[str, Any] = json.loads(said)
    return document


def told_to_die(fleet: LabFleet, name: str) -> None:
    """The next worker that connects to this device dies."""
    (fleet.folder / f"{name}.dies").touch()


def told_to_wait(fleet: LabFleet, name: str) -> Path:
    """Workers that connect to this device wait until the file that this returns is gone."""
    path = fleet.folder / f"{name}.waits"
    path.touch()
    return path


def connections(fleet: LabFleet) -> list[str]:
    """Names of the devices that workers connected to, in that order."""
    try:
        return (fleet.folder / "connections").read_text().split()
    except FileNotFoundError:
        return []


def _connect(folder: Path, entry: DeviceEntry) -> DeviceClient:
    with (folder / "connections").open("a") as file:
        file.write(f"{entry.name}\n")
    if (folder / f"{entry.name}.dies").exists():
        (folder / f"{entry.name}.dies").unlink()
        os.kill(os.getpid(), signal.SIGKILL)
    deadline = time.monotonic() + _LIMIT_S
    while (folder / f"{entry.name}.waits").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    return connect(entry)


def main(text: str) -> None:
    """What `begun` starts."""
    order = json.loads(text)
    folder = Path(order["folder"])
    fleet = LabFleet(
        folder=folder,
        troubles=dict.fromkeys(order["names"], Trouble.NONE),
        old=Bundle.open(folder / "old.edgekit"),
    )
    release = Release(bundle=Bundle.open(order["bundle"]), target=lab_target())
    request = FleetRequest(
        entries=fleet.entries(),
        order=Order(releases={TARGET: release}, proof=Proof(plan=None), connect=partial(_connect, folder), lease_s=0.3),
        rules=Rules(waves=parse_waves(order["waves"]), max_failures=Amount(value=0.05, is_share=True)),
        resume=order["resume"],
        state=folder / "state",
    )
    with on_ray(order["address"], parallel=order["parallel"]) as executor:
        document = deploy_fleet(request, executor)
    sys.stdout.write(json.dumps(document))
