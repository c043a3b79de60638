"""Hosts that die: a process that forks one host a line, which deploys over the real transport and kills itself.

Run as a program, for a fork of a process with threads, or with a test in it, would be no clean host.
"""

from __future__ import annotations

import ctypes
import io
import json
import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from edgekit.device.session import AgentProgram, Session
from edgekit.device.upload import Upload
from edgekit.selftest.lab.acts import Act
from edgekit.transports import Endpoint, transport_for
from edgekit.transports._pipes import PipeChannel

_SUBREAPER = 36
"""PR_SET_CHILD_SUBREAPER, prctl(2): the agent of a dead host becomes our child, so that we can wait for it."""

_START = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from edgekit.selftest.lab import mortal_host; mortal_host.main(*sys.argv[2:])"
)


@dataclass(frozen=True, kw_only=True)
class Death:
    """When a host dies.

    Attributes:
        call: "write" or "read", of the channel to the agent.
        nth: before which of these, from 1; 0 means never.
        half: of a write, half has gone out.
    """

    call: str
    nth: int
    half: bool = False

    @property
    def name(self) -> str:
        """For people."""
        return f"SIGKILL {'within' if self.half else 'before'} {self.call} {self.nth} of the host"


@dataclass(frozen=True, kw_only=True)
class Life:
    """What became of a host.

    Attributes:
        is_dead: it came to the point of its death.
        is_answered: it had the answer to the last request.
        writes, reads: how often it wrote and read.
    """

    is_dead: bool
    is_answered: bool
    writes: int
    reads: int


class MortalHosts:
    """The process that forks them, as a context manager.

    Args:
        program: the agent that the hosts bring.
        folder: for it.
    """

    def __init__(self, program: AgentProgram, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in (("boot.py", program.bootstrap.encode()), ("agent.zip", program.archive)):
            (folder / name).write_bytes(data)
        self._process = subprocess.Popen(
            [sys.executable, "-c", _START, json.dumps(sys.path), str(folder), program.sha256],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()

    def live(self, root: Path, act: Act, death: Death) -> Life:
        """One host; returns when its agent has ended too."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"root": str(root), "act": act.as_json(), **vars(death)}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the process that forks hosts has ended; its last words are above")
        return Life(**json.loads(line))


def main(folder: str, sha256: str) -> None:
    """The process: one host a line."""
    ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)
    program = AgentProgram(
        bootstrap=Path(folder, "boot.py").read_text(encoding="utf-8"),
        archive=Path(folder, "agent.zip").read_bytes(),
        sha256=sha256,
    )
    for line in sys.stdin:
        order = json.loads(line)
        report, told = os.pipe()
        host = os.fork()
        if host == 0:
            os.close(report)
            _host(order, program, told)
        os.close(told)
        _, status = os.waitpid(host, 0)
        while True:  # its agent, and whatever that has left
            try:
                os.waitpid(-1, 0)
            except ChildProcessError:
                break
        words = os.read(report, 4096).decode().split()
        os.close(report)
        life = Life(
            is_dead=os.WIFSIGNALED(status),
            is_answered="answered" in words,
            writes=words.count("write"),
            reads=words.count("read"),
        )
        sys.stdout.write(json.dumps(vars(life)) + "\n")
        sys.stdout.flush()


def _host(order: dict[str, Any], program: AgentProgram, told: int) -> None:
    """Deploy, and die on the way; never returns."""
    try:
        death = Death(call=order["call"], nth=order["nth"], half=order["half"])
        _plant(death, told)
        with Session(transport_for(Endpoint.parse(f"local://{order['root']}")), agent=program) as session:
            for step in Act.from_json(order["act"]).steps:
                upload = Upload(source=io.BytesIO(step.data), size_bytes=len(step.data))
                session.request(step.verb, step.params, upload=upload)
            os.write(told, b"answered ")
    except Exception:
        traceback.print_exc()
    finally:
        os._exit(0)


def _plant(death: Death, told: int) -> None:
    """Make the channels of this process deadly."""
    write, read = PipeChannel.write, PipeChannel.read
    seen = {"write": 0, "read": 0}

    def count(call: str, last: Callable[[], None] | None = None) -> None:
        seen[call] += 1
        if death.call == call and death.nth == seen[call]:
            if last is not None and death.half:
                last()
            os.kill(os.getpid(), signal.SIGKILL)
        os.write(told, call.encode() + b" ")

    def deadly_write(self: PipeChannel, data: bytes, timeout_s: float) -> None:
        count("write", lambda: write(self, data[: len(data) // 2], timeout_s))
        write(self, data, timeout_s)

    def deadly_read(self: PipeChannel, limit_bytes: int, timeout_s: float) -> bytes:
        count("read")
        return read(self, limit_bytes, timeout_s)

    PipeChannel.write = deadly_write  # type: ignore[method-assign]  # this process is nobody else's
    PipeChannel.read = deadly_read  # type: ignore[method-assign]
