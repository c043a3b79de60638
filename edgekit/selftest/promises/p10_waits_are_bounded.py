"""A connection is broken in each of its phases: before TCP, in banner, keys, log-in, channel, upload and answer.

It is swallowed, reset, closed, slowed down to a byte a second, filled with noise, or its bytes come late; and an agent
that lies sends a byte at a time, or signs of life for ever. With limits of a second where the command has 10 to 15, all
of it has to end in an error of the network that names the phase (what only comes late may also go well), and no thread
and no descriptor may be left. Limits are seconds of a phase or without progress; nobody may wait ten times as long.
"""

from __future__ import annotations

import io
import itertools
import random
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from edgekit.core.errors import DeadlineError, EdgekitError, NetworkError
from edgekit.core.events import Event
from edgekit.device.session import AgentProgram, Session
from edgekit.device.upload import Upload
from edgekit.selftest.lab.fault_proxy import Fault, FaultProxy
from edgekit.selftest.lab.phases import BLOB_BYTES, Place, places, use
from edgekit.selftest.lab.scripted_agent import scripted
from edgekit.selftest.lab.ssh_device import SshDevice
from edgekit.selftest.promise import Lab, Outcome, Promise, Scale
from edgekit.transports import Endpoint, Limits, transport_for

LIMIT_S = 1.0
LIMITS = Limits(
    connect_s=LIMIT_S,
    banner_s=LIMIT_S,
    auth_s=LIMIT_S,
    channel_s=LIMIT_S,
    idle_s=LIMIT_S,
    start_s=2 * LIMIT_S,
    close_s=0.3,
)
HANG_S = 20.0
"""Whoever still waits then waits for ever; a busy computer is no reason."""

SETTLE_S = 10.0
"""In which threads that were told to end do so."""

_TICK_S = 0.02

FAULTS = {
    "swallowed": Fault(kind="stall"),
    "reset": Fault(kind="reset"),
    "closed": Fault(kind="close"),
    "a byte a second": Fault(kind="slow", chunk=1, delay_s=1.0),
    "noise": Fault(kind="garbage"),
    "late": Fault(kind="slow", latency_s=LIMIT_S / 3),
}

LIARS = {
    "a greeting in drops": 'read_line()\nwhile True: raw(b"x"); time.sleep(0.1)',
    "an answer in drops": 'request = serve()\nwhile True: raw(b" "); time.sleep(0.1)',
    "a payload in drops": """
request = serve()
say(id=request["id"], event="payload", name="y", size=1000000, sha256="0" * 64)
raw(struct.pack(">I", 1000000))
while True: raw(b"x"); time.sleep(0.1)
""",
    "busy for ever": 'request = serve()\nwhile True: say(id=request["id"], event="busy"); time.sleep(0.1)',
    "no word": "serve()\ntime.sleep(60)",
    "an upload that nobody takes": 'request = serve()\nsay(id=request["id"], event="ready", offset=0)\ntime.sleep(60)',
}
"""Agents that keep a host waiting; each would do so for ever."""


@dataclass(frozen=True, kw_only=True)
class _Case:
    """One broken connection.

    Attributes:
        name: for people.
        use: uses the connection and ends; False if the fault did not strike.
        may_go_well: bytes only come late.
    """

    name: str
    use: Callable[[], bool]
    may_go_well: bool = False


@dataclass(kw_only=True)
class _Ended:
    """How a case went, once it is over."""

    error: BaseException | None = None
    has_struck: bool = True
    seconds: float = 0.0


def run(lab: Lab) -> Outcome:
    """Break connections."""
    failures: list[str] = []
    longest_s, cases = 0.0, 0
    for case in _cases(lab):
        held = _held()
        ended = _within_reason(case)
        if ended is None:
            failures.append(f"{case.name}: still waiting after {HANG_S:g} s")
        else:
            longest_s = max(longest_s, ended.seconds)
            found = (_judged(ended, case.may_go_well), _left(held))
            failures += [f"{case.name}: {wrong}" for wrong in found if wrong]
        cases += ended is None or ended.has_struck
        lab.on_event(Event(phase="selftest", message=case.name))
    return Outcome(cases=cases, failures=tuple(failures), facts={"longest_s": round(longest_s, 1)})


def _cases(lab: Lab) -> Iterator[_Case]:
    program, chance = AgentProgram.current(), random.Random(lab.seed)  # noqa: S311 -- not a secret
    for name, script in LIARS.items():
        yield _Case(name=name, use=partial(_listen_to, script))
    with SshDevice(lab.folder / "ssh") as device:
        with device.client(program=program):
            pass  # now the agent is there
        nothing = Place(phase="TCP", after_up=0)
        spots = (nothing, *places(device, LIMITS, program))
        schemes = ("ssh", "openssh") if lab.scale is Scale.FULL and shutil.which("ssh") else ("ssh",)
        for scheme, place, (name, fault) in itertools.product(schemes, spots, FAULTS.items()):
            through = partial(_through, device, scheme, place.fault(fault), program, chance)
            if place is nothing and name in _NO_TCP:
                through = partial(_NO_TCP[name], device, scheme, chance)
            yield _Case(name=f"{scheme}, {place.phase}, {name}", use=through, may_go_well=name == "late")


def _through(device: SshDevice, scheme: str, fault: Fault, program: AgentProgram, chance: random.Random) -> bool:
    """Use the device through a proxy that breaks the connection; again if the computer was too slow to get there."""
    for _ in range(3):
        _wait_until_free(device, program)
        with FaultProxy(device.port, fault) as proxy:
            try:
                use(device.client(scheme=scheme, port=proxy.port, limits=LIMITS, program=program), chance)
            except EdgekitError:
                if proxy.struck.is_set():
                    raise
        if proxy.struck.is_set():
            return True
    return False


def _into_nothing(device: SshDevice, scheme: str, chance: random.Random) -> bool:
    """A port that swallows what asks for a connection: its queue is full."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        port = full.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            use(device.client(scheme=scheme, port=port, limits=LIMITS), chance)
    return True


def _against_a_wall(device: SshDevice, scheme: str, chance: random.Random) -> bool:
    """A port where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    use(device.client(scheme=scheme, port=port, limits=LIMITS), chance)
    return True


_NO_TCP = {"swallowed": _into_nothing, "reset": _against_a_wall}


def _listen_to(script: str) -> bool:
    """Ask a liar."""
    upload = Upload(source=io.BytesIO(bytes(BLOB_BYTES)), size_bytes=BLOB_BYTES)
    transport = transport_for(Endpoint.parse("local://"), limits=LIMITS)
    with Session(transport, agent=scripted(script)) as session:
        session.request("infer", {}, upload=upload, payload_limit_bytes=BLOB_BYTES, deadline_s=2 * LIMIT_S)
    return True


def _wait_until_free(device: SshDevice, program: AgentProgram) -> None:
    """Until the agent of a broken connection has noticed."""
    pause = threading.Event()
    with device.client(program=program) as client:
        while client.status().locked_by is not None:
            pause.wait(0.05)


def _within_reason(case: _Case) -> _Ended | None:
    """How a case ended; None if it did not."""
    ended = _Ended()

    def use_it() -> None:
        begun = time.monotonic()
        try:
            ended.has_struck = case.use()
        except Exception as error:  # whatever it is, the judge wants to see it
            ended.error = error
        ended.seconds = time.monotonic() - begun

    thread = threading.Thread(target=use_it, name="edgekit-selftest", daemon=True)
    thread.start()
    thread.join(HANG_S)
    return None if thread.is_alive() else ended


def _judged(ended: _Ended, may_go_well: bool) -> str | None:
    """What is wrong with an end."""
    error = ended.error
    if error is None:
        return None if may_go_well or not ended.has_struck else "all went well on a broken connection"
    if not isinstance(error, NetworkError):
        return f"{type(error).__name__}: {error}"
    if isinstance(error, DeadlineError) and "phase" not in error.details:
        return f"the phase is not named: {error}"
    return None


def _held() -> tuple[int, int]:
    """Threads, and open descriptors."""
    return threading.active_count(), len(list(Path("/proc/self/fd").iterdir()))


def _left(before: tuple[int, int]) -> str | None:
    """What is still held; a cancelled timer of paramiko ends a moment after it was cancelled."""
    pause = threading.Event()
    for _ in range(int(SETTLE_S / _TICK_S)):
        threads, descriptors = _held()
        if threads <= before[0] and descriptors <= before[1]:
            return None
        pause.wait(_TICK_S)
    names = ", ".join(sorted(thread.name for thread in threading.enumerate()))
    return f"{threads - before[0]} threads and {descriptors - before[1]} descriptors are left; threads: {names}"


PROMISE = Promise(
    id="P10",
    title="Every wait ends: on whatever link, in an error that names the phase, and nothing is left behind",
    sample=36,
    full=72,
    run=run,
)
