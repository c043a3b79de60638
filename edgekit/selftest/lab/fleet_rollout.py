"""A rollout to a fleet of the lab, by this process or by one that can be killed."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from edgekit.bundle.pack import Bundle
from edgekit.core.events import Event, OnEvent, ignore
from edgekit.flows.deploy import Proof
from edgekit.flows.fleet.executor import Threads
from edgekit.flows.fleet.fleet import FleetRequest, deploy_fleet
from edgekit.flows.fleet.order import Order, Release
from edgekit.flows.fleet.progress import DeviceEvent
from edgekit.flows.fleet.rollout import Rules
from edgekit.flows.fleet.waves import USUAL, Amount
from edgekit.selftest.lab.fleet import TARGET, LabFleet, Trouble, lab_target

_PARALLEL = 4
_LONGEST_PAUSE_S = 0.5
_LEASE_S = 0.3
_DEADLINE_S = 300.0


def deploy(
    fleet: LabFleet, bundle: Bundle, state: Path, *, resume: bool = False, on_event: OnEvent = ignore
) -> dict[str, Any]:
    """The document of a rollout in the usual waves, with 5 % failures allowed and short pauses.

    Args:
        fleet: where.
        bundle: what.
        state: folder of histories and journal.
        resume: go on with one that was cut off.
        on_event: listener.
    """
    release = Release(bundle=bundle, target=lab_target())
    request = FleetRequest(
        entries=fleet.entries(),
        order=Order(releases={TARGET: release}, proof=Proof(plan=None), connect=fleet.connect, lease_s=_LEASE_S),
        rules=Rules(waves=USUAL, max_failures=Amount(value=0.05, is_share=True)),
        resume=resume,
        pause=lambda seconds: time.sleep(min(seconds, _LONGEST_PAUSE_S)),
        state=state,
    )
    return deploy_fleet(request, Threads(parallel=_PARALLEL), on_event=on_event)


def deploy_and_die(fleet: LabFleet, bundle: Bundle, state: Path, *, after: int) -> int:
    """The same by another process, which is killed as soon as it has concluded so many devices; returns how many."""
    order = {
        "folder": str(fleet.folder),
        "troubles": {name: str(trouble) for name, trouble in fleet.troubles.items()},
        "urls": fleet.urls,
        "host_key": fleet.host_key,
        "bundle": str(bundle.path),
        "state": str(state),
    }
    command = [sys.executable, "-m", __name__, json.dumps(order)]
    concluded = 0
    with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        for _ in process.stdout:
            concluded += 1
            if concluded == after:
                process.kill()
                break
        process.stdout.close()
        process.wait(_DEADLINE_S)
    return concluded


def main(text: str) -> None:
    """Deploy as `deploy_and_die` ordered it; a line for each device that is concluded."""
    order = json.loads(text)
    fleet = LabFleet(
        folder=Path(order["folder"]),
        troubles={name: Trouble(trouble) for name, trouble in order["troubles"].items()},
        old=Bundle.open(Path(order["folder"]) / "old.edgekit"),
        urls={Trouble(trouble): url for trouble, url in order["urls"].items()},
        host_key=order["host_key"],
    )

    def tell(event: Event) -> None:
        if isinstance(event, DeviceEvent) and event.state is not None:
            sys.stdout.write(f"{event.device}\n")
            sys.stdout.flush()

    deploy(fleet, Bundle.open(order["bundle"]), Path(order["state"]), on_event=tell)


if __name__ == "__main__":
    main(sys.argv[1])
