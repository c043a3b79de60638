"""What a connection trusts, put together from the inventory, known_hosts and the environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.core.device_entry import DeviceEntry
from edgekit.core.errors import AuthenticationError, HostKeyError, UnsupportedError
from edgekit.device.trust import scan_host_key, trust_for
from edgekit.transports import HostKey
from edgekit.transports._trust import checked_identity_file
from tests.fakes.ssh_server import FakeSshServer, make_key

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"
OTHER = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ"


@pytest.fixture
def known_hosts(tmp_path, monkeypatch):
    path = tmp_path / "known_hosts"
    path.touch(mode=0o600)
    monkeypatch.setenv("EDGEKIT_KNOWN_HOSTS", str(path))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("EDGEKIT_KEY", raising=False)
    return path


def device(**changes) -> DeviceEntry:
    return DeviceEntry(name="pi", url="ssh://pi@host", **changes)


def test_pins_win_over_known_hosts(known_hosts):
    known_hosts.write_text(f"host {OTHER}\n")

    assert trust_for(device(host_keys=(KEY,))).host_keys == (HostKey.parse(KEY),)


def test_known_hosts_decides_without_pins(known_hosts):
    known_hosts.write_text(f"host {OTHER}\n")

    assert trust_for(device()).host_keys == (HostKey.parse(OTHER),)


def test_revocation_counts_for_pins_too(known_hosts):
    known_hosts.write_text(f"@revoked host {KEY}\n")

    assert trust_for(device(host_keys=(KEY,))).revoked == (HostKey.parse(KEY),)


def test_local_device_needs_no_trust(known_hosts):
    known_hosts.chmod(0o666)

    assert trust_for(DeviceEntry(name="local", url="local://")).host_keys == ()


def test_identity_is_the_entrys_then_the_environments_then_the_usual_one(known_hosts, tmp_path, monkeypatch):
    assert trust_for(device()).identity_file is None
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "id_ed25519").touch()
    assert trust_for(device()).identity_file == tmp_path / ".ssh" / "id_ed25519"
    monkeypatch.setenv("EDGEKIT_KEY", "~/fleet")
    assert trust_for(device()).identity_file == tmp_path / "fleet"
    assert trust_for(device(identity_file=Path("~/mine"))).identity_file == tmp_path / "mine"


def test_no_identity_at_all_is_an_authentication_error():
    with pytest.raises(AuthenticationError, match="no identity file"):
        checked_identity_file(None)


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660])
def test_identity_that_others_may_read_is_refused(tmp_path, mode):
    path = tmp_path / "key"
    path.touch()
    path.chmod(mode)

    with pytest.raises(AuthenticationError, match="read by others") as caught:
        checked_identity_file(path)

    assert caught.value.hint == f"chmod 600 {path}"


def test_scan_finds_the_key_that_a_device_shows(known_hosts, tmp_path):
    host = make_key(tmp_path, "host")
    shown = HostKey.parse(host.with_suffix(".pub").read_text())
    with FakeSshServer(host_keys=[host], home=tmp_path) as server:
        entry = DeviceEntry(name="pi", url=f"openssh://pi@127.0.0.1:{server.port}")

        assert scan_host_key(entry) == shown

        known_hosts.write_text(f"@revoked * {shown}\n")
        with pytest.raises(HostKeyError, match="revoked"):
            scan_host_key(entry)
        assert server.log == ["connect", "connect"]


def test_local_device_has_no_key_to_scan():
    with pytest.raises(UnsupportedError):
        scan_host_key(DeviceEntry(name="local", url="local://"))
