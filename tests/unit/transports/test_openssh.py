"""The `ssh` program: what it is told, and how much may wait for it."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
from pathlib import Path

import pytest

from edgekit.transports import Endpoint, HostKey, Limits, Trust
from edgekit.transports.openssh import OpenSshTransport, _OpenSshChannel
from edgekit.transports.ssh import CIPHERS

ENDPOINT = Endpoint.parse("openssh://pi@192.0.2.1")


def option(name: str, tmp_path: Path) -> str:
    key = tmp_path / "key"
    key.touch(mode=0o600)
    trust = Trust(host_keys=(HostKey.parse("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI" + "A" * 43),), identity_file=key)
    command = OpenSshTransport(ENDPOINT, trust, Limits()).command("pass", tmp_path)
    (value,) = (word.partition("=")[2] for word in command if word.startswith(f"{name}="))
    return value


def test_ciphers_are_those_of_the_other_transport(tmp_path: Path) -> None:
    assert tuple(option("Ciphers", tmp_path).split(",")) == CIPHERS


@pytest.mark.skipif(
    shutil.which("ssh") is None, reason="openssh-client is not installed: sudo apt install openssh-client"
)
def test_ciphers_are_known_to_ssh(tmp_path: Path) -> None:
    known = subprocess.run(["ssh", "-Q", "cipher"], capture_output=True, text=True, check=True, timeout=10).stdout

    assert set(option("Ciphers", tmp_path).split(",")) <= set(known.split())


def test_channel_lets_a_mebibyte_wait_for_ssh() -> None:
    channel = _OpenSshChannel(["sleep", "60"], endpoint=ENDPOINT, limits=Limits(close_s=0.1))
    try:
        channel.widen()

        channel.write(bytes(512 * 1024), 1.0)
        assert fcntl.fcntl(channel._stdin.fileno(), fcntl.F_GETPIPE_SZ) == 1024 * 1024
    finally:
        channel.close()
