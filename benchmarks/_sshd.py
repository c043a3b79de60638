"""An sshd of a benchmark's own: own configuration, own keys, a free port, gone at the end."""

from __future__ import annotations

import getpass
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks._link import Link
from benchmarks._missing import program
from edgekit.transports import Endpoint, HostKey, Trust

_START_S = 10.0


@dataclass(frozen=True, kw_only=True)
class Server:
    """A server that answers, and how to log in.

    Attributes:
        device_root: where edgekit's agent keeps its files.
        known_hosts: for OpenSSH's own programs.
    """

    user: str
    address: str
    port: int
    device_root: Path
    identity_file: Path
    known_hosts: Path
    trust: Trust

    def endpoint(self, scheme: str) -> Endpoint:
        """The server as edgekit names it."""
        return Endpoint.parse(f"{scheme}://{self.user}@{self.address}:{self.port}")


@contextmanager
def ssh_server(folder: Path, link: Link) -> Iterator[Server]:
    """Start it at the far end of a link.

    Args:
        folder: an empty folder for keys, configuration and the device's files.
        link: where it runs.

    Raises:
        CannotRun: OpenSSH is not installed.
        RuntimeError: it does not start.
    """
    keygen, sshd = program("ssh-keygen"), program("sshd")
    for name in ("host_key", "user_key"):
        subprocess.run([keygen, "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", folder / name], check=True, timeout=30)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    host_key = (folder / "host_key.pub").read_text(encoding="ascii").strip()
    server = Server(
        user=getpass.getuser(),
        address=link.address,
        port=port,
        device_root=folder / "device",
        identity_file=folder / "user_key",
        known_hosts=folder / "known_hosts",
        trust=Trust(host_keys=(HostKey.parse(host_key),), identity_file=folder / "user_key"),
    )
    server.known_hosts.write_text(f"[{link.address}]:{port} {host_key}\n", encoding="ascii")
    config = folder / "sshd_config"
    config.write_text(_configuration(folder, server), encoding="utf-8")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    with (folder / "sshd.log").open("wb") as log:
        process = subprocess.Popen([*link.prefix, sshd, "-D", "-e", "-f", str(config)], stderr=log)
    try:
        _wait_for_banner(server, process, folder / "sshd.log")
        yield server
    finally:
        process.terminate()
        process.wait()


def _configuration(folder: Path, server: Server) -> str:
    search = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return "\n".join(
        [
            f"Port {server.port}",
            f"ListenAddress {server.address}",
            f"HostKey {folder / 'host_key'}",
            f"AuthorizedKeysFile {folder / 'user_key.pub'}",
            f'SetEnv EDGEKIT_ROOT="{server.device_root}" PATH="{search}"',
            "UsePAM no",
            "StrictModes no",
            "UseDNS no",
            "PidFile none",
            "PermitRootLogin yes",
            "Subsystem sftp internal-sftp",
            "",
        ]
    )


def _wait_for_banner(server: Server, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with socket.create_connection((server.address, server.port), 1) as connection:
                if connection.recv(4) == b"SSH-":
                    return
        except OSError:
            time.sleep(0.02)
    raise RuntimeError(f"sshd does not answer: {log.read_text(encoding='utf-8', errors='replace')}")
