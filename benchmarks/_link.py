"""A slow link: two ends of a virtual cable, one in a network namespace, both shaped with tc's token bucket."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from benchmarks._missing import CannotRun, program

SHAPE = ("tbf", "rate", "100mbit", "burst", "32kb", "latency", "50ms")


@dataclass(frozen=True, kw_only=True)
class Link:
    """Where a server has to run, and where it is reached.

    Attributes:
        address: of the far end; 127.0.0.1 without a namespace.
        prefix: goes before a command that runs at the far end.
    """

    address: str
    prefix: tuple[str, ...] = ()


LOOPBACK = Link(address="127.0.0.1")


@contextmanager
def shaped_link() -> Iterator[Link]:
    """100 Mbit/s in both directions; namespace and cable are removed whatever happens.

    Raises:
        CannotRun: we are not root, or the kernel lacks something.
    """
    if os.geteuid() != 0:
        raise CannotRun("needs root, for a network namespace and tc")
    ip, tc = program("ip"), program("tc")
    mark = os.getpid() % 60_000
    space, near, far = f"ekbench{mark}", f"ekn{mark}", f"ekf{mark}"
    network = f"10.{200 + mark // 10_000}.{mark // 250 % 250}"
    first = mark % 60 * 4
    near_address, far_address = f"{network}.{first + 1}", f"{network}.{first + 2}"
    inside = (ip, "netns", "exec", space)
    with ExitStack() as stack:
        _run([ip, "netns", "add", space])
        stack.callback(_run, [ip, "netns", "delete", space])
        _run([ip, "link", "add", near, "type", "veth", "peer", "name", far, "netns", space])
        stack.callback(_run, [ip, "link", "delete", near])
        _run([ip, "address", "add", f"{near_address}/30", "dev", near])
        _run([ip, "link", "set", near, "up"])
        _run([*inside, ip, "address", "add", f"{far_address}/30", "dev", far])
        _run([*inside, ip, "link", "set", far, "up"])
        _run([*inside, ip, "link", "set", "lo", "up"])
        _run([tc, "qdisc", "add", "dev", near, "root", *SHAPE])
        _run([*inside, tc, "qdisc", "add", "dev", far, "root", *SHAPE])
        yield Link(address=far_address, prefix=inside)


def _run(command: Sequence[str]) -> None:
    done = subprocess.run(list(command), capture_output=True, text=True, timeout=30, check=False)
    if done.returncode:
        raise CannotRun(f"{' '.join(command)} failed: {done.stderr.strip()}")
