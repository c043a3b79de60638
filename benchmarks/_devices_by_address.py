"""A hundred devices on this computer: sshd on as many loopback addresses, each with a root folder of its own."""

from __future__ import annotations

import getpass
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks._missing import program
from edgekit.core.device_entry import DeviceEntry, Provenance

_START_S = 20.0
_ADDRESSES_OF_A_SERVER = 16
"""OpenSSH listens at most at so many (MAX_LISTEN_SOCKS of sshd.c)."""


@dataclass(frozen=True, kw_only=True)
class Site:
    """Devices that answer.

    Attributes:
        user: who logs in.
        port: of all of them.
        addresses: one a device.
        roots: where each keeps its files.
        identity_file, known_hosts: for OpenSSH's own programs too.
        host_key: of all of them.
    """

    user: str
    port: int
    addresses: tuple[str, ...]
    roots: tuple[Path, ...]
    identity_file: Path
    known_hosts: Path
    host_key: str

    def entries(self, target: str) -> list[DeviceEntry]:
        """As the inventory has them."""
        return [
            DeviceEntry(
                name=f"device-{number:03}",
                url=f"ssh://{self.user}@{address}:{self.port}",
                target=target,
                host_keys=(self.host_key,),
                trust=Provenance.PINNED,
                identity_file=self.identity_file,
                groups=("bench",),
                unsigned=True,
            )
            for number, address in enumerate(self.addresses)
        ]


@contextmanager
def many_devices(folder: Path, count: int) -> Iterator[Site]:
    """Start them.

    Args:
        folder: an empty folder.
        count: at most 250.

    Raises:
        CannotRun: OpenSSH is not installed.
        RuntimeError: a server does not start.
    """
    keygen, sshd = program("ssh-keygen"), program("sshd")
    for name in ("host_key", "user_key"):
        subprocess.run([keygen, "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", folder / name], check=True, timeout=30)
    host_key = (folder / "host_key.pub").read_text(encoding="ascii").strip()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    addresses = tuple(f"127.0.1.{number + 1}" for number in range(count))
    site = Site(
        user=getpass.getuser(),
        port=port,
        addresses=addresses,
        roots=tuple(folder / "devices" / address for address in addresses),
        identity_file=folder / "user_key",
        known_hosts=folder / "known_hosts",
        host_key=" ".join(host_key.split()[:2]),
    )
    site.known_hosts.write_text("".join(f"[{address}]:{port} {site.host_key}\n" for address in addresses))
    for root in site.roots:
        root.mkdir(parents=True, mode=0o700)
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    with ExitStack() as stack:
        for begin in range(0, count, _ADDRESSES_OF_A_SERVER):
            some = range(begin, min(begin + _ADDRESSES_OF_A_SERVER, count))
            stack.enter_context(_server(sshd, folder, site, some))
        yield site


@contextmanager
def _server(sshd: str, folder: Path, site: Site, some: Sequence[int]) -> Iterator[None]:
    config = folder / f"sshd_config-{some[0]}"
    config.write_text(_configuration(folder, site, some), encoding="utf-8")
    log = folder / f"sshd-{some[0]}.log"
    with log.open("wb") as stream:
        process = subprocess.Popen([sshd, "-D", "-e", "-f", str(config)], stderr=stream)
    try:
        _wait_for_banner(site.addresses[some[0]], site.port, process, log)
        yield
    finally:
        process.terminate()
        process.wait()


def _configuration(folder: Path, site: Site, some: Sequence[int]) -> str:
    search = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    lines = [
        f"Port {site.port}",
        *(f"ListenAddress {site.addresses[number]}" for number in some),
        f"HostKey {folder / 'host_key'}",
        f"AuthorizedKeysFile {folder / 'user_key.pub'}",
        "UsePAM no",
        "StrictModes no",
        "UseDNS no",
        "PidFile none",
        "PermitRootLogin yes",
        "MaxStartups 200:30:400",
        "Subsystem sftp internal-sftp",
    ]
    for number in some:
        lines.append(f"Match LocalAddress {site.addresses[number]}")
        lines.append(f'  SetEnv EDGEKIT_ROOT="{site.roots[number]}" PATH="{search}"')
    return "\n".join([*lines, ""])


def _wait_for_banner(address: str, port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with socket.create_connection((address, port), 1) as connection:
                if connection.recv(4) == b"SSH-":
                    return
        except OSError:
            time.sleep(0.02)
    raise RuntimeError(f"sshd does not answer: {log.read_text(encoding='utf-8', errors='replace')}")
