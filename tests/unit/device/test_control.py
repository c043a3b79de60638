"""The client's verbs about releases, against the real agent."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgekit.core.errors import InputError, LockedError, RolledBackError
from edgekit.device.client import DeviceClient
from edgekit.device.control import Terms
from edgekit.device.session import AgentProgram, Session
from edgekit.selftest.lab.agent_process import Release, fake_release
from edgekit.selftest.lab.altered_agent import LabMachine
from edgekit.selftest.lab.trials import TrialDevice
from edgekit.transports import Endpoint, HostKey, Trust, transport_for
from tests.fakes.ssh_server import SSHD, USER, OpenSshServer, make_key

OLD, NEW = fake_release(1.0), fake_release(2.0)


def connected(root: Path) -> DeviceClient:
    return DeviceClient(Session(transport_for(Endpoint(scheme="local", path=str(root)))))


def deploy(device: DeviceClient, release: Release, terms: Terms | None = None) -> float | None:
    for data in release.files:
        device.stage(data)
    return device.activate(release.manifest, terms=terms).confirm_left_s


@pytest.fixture
def device(tmp_path: Path) -> Iterator[DeviceClient]:
    with connected(tmp_path / "root") as client:
        deploy(client, OLD)
        yield client


def test_release_on_trial_is_confirmed(device: DeviceClient) -> None:
    left_s = deploy(device, NEW, Terms(confirm_within_s=120))
    on_trial = device.status()

    links = device.confirm(NEW.digest)

    assert left_s is not None
    assert 0 < left_s <= 120
    assert (on_trial.active, on_trial.pending) == (NEW.digest, NEW.digest)
    assert on_trial.confirm_left_s is not None
    assert (links.active, links.previous) == (NEW.digest, OLD.digest)
    assert device.status().confirm_left_s is None


def test_release_on_trial_is_refused_with_a_reason(device: DeviceClient) -> None:
    deploy(device, NEW, Terms(confirm_within_s=120))

    assert device.refuse(NEW.digest, "too slow\x1b[2J").active == OLD.digest
    assert device.status().failed == {NEW.digest: "too slow\\x1b[2J"}
    with pytest.raises(RolledBackError, match="too slow"):
        device.refuse(NEW.digest, "again")


def test_failed_release_needs_a_retry(device: DeviceClient) -> None:
    deploy(device, NEW, Terms(confirm_within_s=120))
    device.refuse(NEW.digest, "too slow")

    with pytest.raises(RolledBackError, match="failed on this device before: too slow"):
        deploy(device, NEW)

    assert deploy(device, NEW, Terms(retry=True)) is None
    assert device.status().active == NEW.digest


def test_unknown_health_command_is_an_input_error(device: DeviceClient) -> None:
    with pytest.raises(InputError, match="no health command 'absent'"):
        deploy(device, NEW, Terms(health=("absent",)))


def test_pin_keeps_a_release(device: DeviceClient) -> None:
    assert device.pin(OLD.digest) == (OLD.digest,)
    assert device.status().pinned == (OLD.digest,)
    assert device.pin(OLD.digest, pinned=False) == ()


def test_requests_go_under_the_lease_of_their_client(device: DeviceClient, tmp_path: Path) -> None:
    lease = device.lease("the first", ttl_s=600)

    with connected(tmp_path / "root") as other:
        found = other.status().lease
        assert found is not None
        assert (found.owner, found.token) == ("the first", lease.token)
        with pytest.raises(LockedError, match="leased to the first"):
            deploy(other, NEW)
        with pytest.raises(LockedError):
            other.lease("the second")
    deploy(device, NEW)
    device.collect(keep=1)
    assert device.lease("the first").token == lease.token, "renewed"
    device.release_lease()
    device.release_lease()

    assert device.status().lease is None
    with connected(tmp_path / "root") as other:
        assert other.lease("the second").token == lease.token + 1
        device.token = lease.token
        with pytest.raises(LockedError, match="is over"):
            device.rollback()


@pytest.mark.ssh
@pytest.mark.skipif(SSHD is None, reason="no sshd here")
def test_watchdog_outlives_a_connection_over_ssh(tmp_path: Path) -> None:
    host, identity = make_key(tmp_path, "host"), make_key(tmp_path, "identity")
    root = tmp_path / "root"
    environment = {"EDGEKIT_ROOT": str(root), "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin"}
    with OpenSshServer(folder=tmp_path, host_keys=[host], authorized=[identity], environment=environment) as server:
        endpoint = Endpoint(scheme="ssh", user=USER, host="127.0.0.1", port=server.port)
        trust = Trust(host_keys=(HostKey.parse((tmp_path / "host.pub").read_text()),), identity_file=identity)
        with DeviceClient(Session(transport_for(endpoint, trust=trust))) as device:
            deploy(device, OLD)
            deploy(device, NEW, Terms(confirm_within_s=1))

    seen = TrialDevice(root=root, machine=LabMachine(folder=tmp_path / "machine"), program=AgentProgram.current())
    seen.wait_until_settled()
    assert seen.current() == OLD.digest
