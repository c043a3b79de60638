"""50 MB of random bytes to a device, by edgekit's two SSH transports and by scp, over the same sshd."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks._figures import Figure, at_least, ratio
from benchmarks._folders import own_folders
from benchmarks._link import LOOPBACK, Link, shaped_link
from benchmarks._missing import program
from benchmarks._runs import in_turn, timed
from benchmarks._sshd import Server, ssh_server
from edgekit.core.digest import sha256_bytes
from edgekit.device.client import DeviceClient
from edgekit.device.session import Session
from edgekit.transports import transport_for

RUNS = 5
SIZE_BYTES = 50_000_000
SLOW_GOAL = 0.95
LOOPBACK_GOAL = 0.9


@dataclass(frozen=True, kw_only=True)
class Took:
    """Seconds of one transfer.

    Attributes:
        outside_s: before the first byte could travel and after all were there: connection, log-in, edgekit's agent, and
            the end of them; for scp, a copy of 1 byte.
        whole_s: everything, from the connection to its end.
    """

    outside_s: float
    whole_s: float

    @property
    def bytes_alone_s(self) -> float:
        """What the bytes took."""
        return self.whole_s - self.outside_s


@dataclass(frozen=True, kw_only=True)
class Seconds:
    """What the three ways took, in turn."""

    ssh: tuple[Took, ...]
    openssh: tuple[Took, ...]
    scp: tuple[Took, ...]


@dataclass(frozen=True, kw_only=True)
class Transfer:
    """Raw figures over the slow link and over bare loopback."""

    slow: Seconds
    loopback: Seconds


def measure(runs: int) -> Transfer:
    """Transfer new bytes so many times each way.

    Raises:
        CannotRun: we are not root, or OpenSSH or iproute2 is missing.
    """
    with own_folders() as folder:
        with shaped_link() as link:
            slow = _compare(folder / "slow", link, runs)
        return Transfer(slow=slow, loopback=_compare(folder / "loopback", LOOPBACK, runs))


def _compare(folder: Path, link: Link, runs: int) -> Seconds:
    folder.mkdir(mode=0o700)
    with ssh_server(folder, link) as server:
        ssh, openssh, scp = in_turn(
            runs,
            lambda: _staged(server, "ssh", folder),
            lambda: _staged(server, "openssh", folder),
            lambda: _copied(server, folder),
        )
    return Seconds(ssh=ssh, openssh=openssh, scp=scp)


def _staged(server: Server, scheme: str, folder: Path) -> Took:
    """Connect, start the agent, stage, end: with the agent's checks, fsyncs and renames."""
    payload = folder / "payload"
    data = os.urandom(SIZE_BYTES)
    payload.write_bytes(data)
    digest = sha256_bytes(data)  # a deploy knows it from the manifest
    started = time.perf_counter()
    with DeviceClient(Session(transport_for(server.endpoint(scheme), trust=server.trust))) as device:
        start_s = time.perf_counter() - started
        sent = device.stage(payload, sha256=digest).sent_bytes
        answered_s = time.perf_counter() - started
    whole_s = time.perf_counter() - started
    if sent != SIZE_BYTES:
        raise RuntimeError(f"{sent} bytes were sent, not {SIZE_BYTES}")
    shutil.rmtree(server.device_root / "blobs")
    return Took(outside_s=start_s + whole_s - answered_s, whole_s=whole_s)


def _copied(server: Server, folder: Path) -> Took:
    """Scp with its own defaults."""
    return Took(outside_s=_scp(server, folder, 1), whole_s=_scp(server, folder, SIZE_BYTES))


def _scp(server: Server, folder: Path, size_bytes: int) -> float:
    payload, copy = folder / "payload", folder / "copy"
    payload.write_bytes(os.urandom(size_bytes))
    command = [program("scp"), "-q", "-F", "none", "-P", str(server.port), "-i", str(server.identity_file)]
    for option in ("BatchMode=yes", "StrictHostKeyChecking=yes", f"UserKnownHostsFile={server.known_hosts}"):
        command += ["-o", option]
    seconds = timed([*command, payload, f"{server.user}@{server.address}:{copy}"]).wall_s
    if copy.stat().st_size != size_bytes:
        raise RuntimeError("scp did not copy everything")
    copy.unlink()
    return seconds


def figures(found: Transfer) -> tuple[Figure, ...]:
    """The rows: speeds relative to scp, so more is better."""
    rows = []
    for where, seconds, goals in (
        ("100 Mbit/s", found.slow, {"ssh": SLOW_GOAL}),
        ("bare loopback", found.loopback, {"openssh": LOOPBACK_GOAL}),
    ):
        for scheme, own in (("ssh", seconds.ssh), ("openssh", seconds.openssh)):
            rows += _rows(where, scheme, own, seconds.scp, goals.get(scheme))
    return tuple(rows)


def _rows(where: str, scheme: str, own: Sequence[Took], scp: Sequence[Took], goal: float | None) -> list[Figure]:
    alone = ratio([took.bytes_alone_s for took in scp], [took.bytes_alone_s for took in own])
    whole = ratio([took.whole_s for took in scp], [took.whole_s for took in own])
    what = f"50 MB over {where}, `{scheme}://` to scp, speed of the bytes alone"
    bytes_s, scp_bytes_s = (median(took.bytes_alone_s for took in each) for each in (own, scp))
    around_s, scp_around_s = (median(took.outside_s for took in each) for each in (own, scp))
    note = (
        f"with connection, log-in and start of the agent {whole:.3g}x; medians: the bytes alone {bytes_s:.2f} s, "
        f"scp {scp_bytes_s:.2f} s; around them {around_s:.2f} s, scp {scp_around_s:.2f} s"
    )
    if goal is None:
        return [Figure(what=what, value=f"{alone:.3g}x", note=note)]
    return [at_least(what, alone, goal, "x", note=note)]
