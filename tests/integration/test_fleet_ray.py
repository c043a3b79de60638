"""A rollout as the work of a real Ray cluster: workers and heads die, and every device has its state."""

from __future__ import annotations

import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from edgekit.flows.fleet.fleet import RESUMED
from edgekit.selftest.lab.fleet import LabFleet, Trouble, lab_bundle
from tests.models.fleet_on_ray import begun, connections, document_of, told_to_die, told_to_wait

_LIMIT_S = 120.0
_SETTINGS = {
    "RAY_AUTH_MODE": "token",  # others on this computer are kept out, whatever its user has set up
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_enable_metrics_collection": "0",
    "RAY_enable_open_telemetry": "0",
}


@dataclass(frozen=True, kw_only=True)
class Head:
    """A cluster of one machine.

    Attributes:
        process: that ends with it.
        address: for those on its machine.
        client_address: for others.
    """

    process: subprocess.Popen[bytes]
    address: str
    client_address: str


@pytest.fixture(autouse=True)
def _ray_is_installed() -> None:
    pytest.importorskip("ray", reason="Ray is not installed (pip install 'edgekit-deploy[ray]')")


@pytest.fixture
def head(monkeypatch: pytest.MonkeyPatch) -> Iterator[Head]:
    """`ray start --head` with two processors, on free ports, in a folder of its own."""
    for name, value in {**_SETTINGS, "RAY_AUTH_TOKEN": secrets.token_hex(32)}.items():
        monkeypatch.setenv(name, value)
    port, client_port = free_ports(2)
    with tempfile.TemporaryDirectory(prefix="edgekit-", ignore_cleanup_errors=True) as folder:
        command = [
            *(str(Path(sys.executable).with_name("ray")), "start", "--head", "--block", "--disable-usage-stats"),
            *("--node-ip-address=127.0.0.1", f"--port={port}", f"--ray-client-server-port={client_port}"),
            *("--num-cpus=2", "--object-store-memory=134217728", "--include-dashboard=false", f"--temp-dir={folder}"),
        ]
        with (Path(folder) / "head.log").open("wb") as log:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            until(lambda: listens(port) and listens(client_port), process)
            yield Head(process=process, address=f"127.0.0.1:{port}", client_address=f"ray://127.0.0.1:{client_port}")
        finally:
            process.terminate()  # which ends what it has started
            process.wait(_LIMIT_S)


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[LabFleet]:
    """Four healthy devices in folders of this computer."""
    with LabFleet.of(tmp_path / "fleet", [Trouble.NONE] * 4) as made:
        yield made


def free_ports(count: int) -> list[int]:
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports


def listens(port: int) -> bool:
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0


def until(holds: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    """Wait for what another process does."""
    deadline = time.monotonic() + _LIMIT_S
    while not holds():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)


def states(document: dict) -> dict[str, str]:
    return {device["device"]: device["state"] for device in document["devices"]}


def test_worker_that_dies_costs_its_device_and_resume_goes_on(head: Head, fleet: LabFleet, tmp_path: Path) -> None:
    bundle = lab_bundle(tmp_path / "new.edgekit", 3.0)
    told_to_die(fleet, "pi-001")

    first = document_of(begun(fleet, bundle, head.address))

    assert states(first) == {"pi-000": "new", "pi-001": "unreachable", "pi-002": "new", "pi-003": "new"}
    (lost,) = [device for device in first["devices"] if device["device"] == "pi-001"]
    assert "the worker that deployed to it is gone" in lost["reason"]
    assert first["outcome"] == "partial"
    assert fleet.active("pi-001") == fleet.old.digest

    again = document_of(begun(fleet, bundle, head.client_address, resume=True))

    assert states(again) == dict.fromkeys(fleet.troubles, "new")
    assert [device["reason"] for device in again["devices"]] == [RESUMED, "", RESUMED, RESUMED]
    assert sorted(connections(fleet)) == ["pi-000", "pi-001", "pi-001", "pi-002", "pi-003"]
    assert {fleet.active(name) for name in fleet.troubles} == {bundle.digest}


@pytest.mark.full
def test_cluster_that_is_gone_leaves_every_device_with_a_state(head: Head, fleet: LabFleet, tmp_path: Path) -> None:
    bundle = lab_bundle(tmp_path / "new.edgekit", 3.0)
    gate = told_to_wait(fleet, "pi-001")

    rollout = begun(fleet, bundle, head.client_address, parallel=1, waves="1,50%,100%")
    until(lambda: "pi-001" in connections(fleet), head.process)
    head.process.terminate()
    head.process.wait(_LIMIT_S)
    document = document_of(rollout)
    gate.unlink()

    assert states(document) == {"pi-000": "new", "pi-001": "unreachable", "pi-002": "skipped", "pi-003": "skipped"}
    assert all("is gone" in device["reason"] for device in document["devices"][1:])


@pytest.mark.full
def test_waves_on_a_cluster_of_this_computer_alone(fleet: LabFleet, tmp_path: Path) -> None:
    bundle = lab_bundle(tmp_path / "bad.edgekit", 3.0, golden_scale=4.0)

    document = document_of(begun(fleet, bundle, "local", parallel=4, waves="1,100%"))

    assert states(document) == {"pi-000": "old", "pi-001": "skipped", "pi-002": "skipped", "pi-003": "skipped"}
    assert "the canary failed on pi-000" in document["reason"]
    assert connections(fleet).count("pi-000") == len(connections(fleet))


@pytest.mark.full
def test_cluster_that_is_not_there_is_told_before_a_device_is_touched(
    fleet: LabFleet, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    rollout = begun(fleet, lab_bundle(tmp_path / "new.edgekit", 3.0), "127.0.0.1:1")

    said, _ = rollout.communicate(timeout=_LIMIT_S)

    assert rollout.returncode == 1  # the error goes through `main`, which catches nothing
    assert said == ""
    assert "there is no Ray cluster at 127.0.0.1:1" in capfd.readouterr().err
    assert connections(fleet) == []
