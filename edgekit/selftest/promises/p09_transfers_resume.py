"""Uploads are cut at each mebibyte, a byte before and behind it, and at random bytes, also within a frame's header.

The channel ends, the agent is killed, or the host falls silent (an agent whose patience is a second stands in for ours,
which waits a minute); files travel plain, compressed and as deltas. Between tries bytes of what has come are flipped,
or the file becomes another one. A few cuts go over SSH through a proxy that resets, closes and swallows. Each next try
may ask for what the device lacks and one mebibyte, and in the end the file has to be there, bit for bit.
"""

from __future__ import annotations

import random
import shutil
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np

from edgekit.core.errors import NetworkError
from edgekit.device.session import AgentProgram
from edgekit.selftest.lab.agent_process import AgentProcess, RefusedError, sha256
from edgekit.selftest.lab.cut_upload import FRAME_BYTES, MIB, Cut, CutUpload, impatient_agent, programs
from edgekit.selftest.lab.fault_proxy import Fault, FaultProxy
from edgekit.selftest.lab.ssh_device import SshDevice
from edgekit.selftest.lab.warm_device import WarmDevices
from edgekit.selftest.promise import Lab, Outcome, Promise
from edgekit.transports import Limits

_SIZE = 3 * MIB + 4567
_CUTS_A_FILE = 10
_FLIPS_A_FILE = 4
_HANDSHAKE_BYTES = 20_000
"""A client has logged in and asked for the upload by then."""
_HASTY = Limits(idle_s=1.0, close_s=0.2)


@dataclass(frozen=True, kw_only=True)
class _Found:
    cases: int
    failures: tuple[str, ...]
    worst_resent: int


_Job = Callable[[], _Found]


def run(lab: Lab) -> Outcome:
    """Cut uploads."""
    chance, jobs = random.Random(lab.seed), list[_Job]()  # noqa: S311 -- not a secret
    devices = WarmDevices(lab.folder / "devices", *programs())
    for kind in (_boundaries, _anywhere, _flipped, _changed):
        jobs += kind(lab, devices, chance)
    with ThreadPoolExecutor(2) as workers:
        found = [job.result() for job in [workers.submit(job) for job in jobs]]
    found += _over_ssh(lab, impatient_agent(), chance)
    return Outcome(
        cases=sum(one.cases for one in found),
        failures=tuple(failure for one in found for failure in one.failures),
        facts={"resent_bytes_max": max(one.worst_resent for one in found)},
    )


def _boundaries(_lab: Lab, devices: WarmDevices, chance: random.Random) -> Iterator[_Job]:
    """Each mebibyte, each frame of the first one, both ends, and one byte around; also within the header behind."""
    places = [*range(MIB, _SIZE, MIB), *range(FRAME_BYTES, MIB, FRAME_BYTES), 0, _SIZE]
    around = sorted({max(0, min(_SIZE, place + more)) for place in places for more in (-1, 0, 1)})
    for kind in ("end", "kill", "silence"):
        spills = (0,) if kind == "silence" else (0, 2)
        cuts = [Cut(until=until, kind=kind, spill=spill) for until in around for spill in spills]
        for first in range(0, len(cuts), _CUTS_A_FILE):
            yield partial(_cut, devices, chance.randrange(2**32), None, cuts[first : first + _CUTS_A_FILE])


def _anywhere(lab: Lab, devices: WarmDevices, chance: random.Random) -> Iterator[_Job]:
    """Random bytes, one behind the other."""
    for number in range(lab.many(44, 540)):
        places = sorted(chance.randrange(_SIZE) for _ in range(_CUTS_A_FILE))
        kinds = chance.choices(("end", "kill", "silence"), (7, 2, 1), k=_CUTS_A_FILE)
        cuts = [Cut(until=until, kind=kind) for until, kind in zip(places, kinds, strict=True)]
        yield partial(_cut, devices, chance.randrange(2**32), _encoding(number), cuts)


def _flipped(lab: Lab, devices: WarmDevices, chance: random.Random) -> Iterator[_Job]:
    """A byte of what has arrived is flipped before each try."""
    for number in range(lab.many(10, 100)):
        places = [chance.randrange(_SIZE - MIB) for _ in range(_FLIPS_A_FILE)]
        yield partial(_flip, devices, chance.randrange(2**32), _encoding(number), places)


def _changed(lab: Lab, devices: WarmDevices, chance: random.Random) -> Iterator[_Job]:
    """The file is another one at the next try, under a name of its own or under the old one."""
    for number in range(lab.many(12, 100)):
        place = chance.randrange(1000, _SIZE)
        yield partial(_change, devices, chance.randrange(2**32), place, is_renamed=number % 2 == 0)


def _cut(devices: WarmDevices, seed: int, encoding: str | None, cuts: list[Cut]) -> _Found:
    upload = _upload(devices, seed, encoding)
    for cut in cuts:
        upload.attempt(cut)
    upload.finish()
    return _told(upload, len(cuts))


def _flip(devices: WarmDevices, seed: int, encoding: str | None, places: list[int]) -> _Found:
    upload = _upload(devices, seed, encoding)
    upload.attempt(Cut(until=_SIZE - MIB // 2, kind="end"))
    for place in places:
        upload.attempt(Cut(until=_SIZE, kind="end"), damage=partial(_flip_byte, place))
    upload.finish()
    return _told(upload, len(places))


def _change(devices: WarmDevices, seed: int, place: int, *, is_renamed: bool) -> _Found:
    upload = _upload(devices, seed, None)
    upload.attempt(Cut(until=place, kind="end"))
    if is_renamed:
        changed = bytearray(upload.data)
        _flip_byte(place // 2, changed)
        second = CutUpload(root=upload.root, data=bytes(changed), programs=upload.programs)
    else:
        upload.failures += _sent_changed(upload)
        second = CutUpload(root=upload.root, data=upload.data, programs=upload.programs)
    second.finish()
    second.failures[:0] = upload.failures
    return _told(second, 1)


def _sent_changed(upload: CutUpload) -> list[str]:
    """Go on with other bytes than before."""

    def send(at: int) -> None:
        rest = bytearray(upload.data[at:])
        _flip_byte(0, rest)
        agent.send_frames(bytes(rest))

    with AgentProcess(upload.root, program=upload.programs[0]) as agent:
        agent.boot()
        try:
            agent.request("stage", sha256=upload.digest, size=len(upload.data), on_ready=send)
        except RefusedError as refusal:
            return [] if refusal.code == "E_VERIFY" else [f"a file that changed is refused by {refusal}"]
    return ["a file that changed is taken for the old one"]


def _over_ssh(lab: Lab, program: AgentProgram, chance: random.Random) -> Iterator[_Found]:
    """Cuts by a proxy between our own client and a real SSH server."""
    with SshDevice(lab.folder / "ssh") as device:
        with device.client(program=program):
            pass  # now the agent is there, and only uploads travel
        for kind in ("reset", "close", "stall") * lab.many(4, 30):
            data = chance.randbytes(_SIZE)
            after = chance.randrange(_HANDSHAKE_BYTES, _SIZE)
            fault = Fault(kind=kind, after_up=after)
            with FaultProxy(device.port, fault) as proxy:
                failures = _break_off(device, proxy, data, program)
                resent, more = _resume(device, data, program)
            yield _Found(
                cases=1,
                failures=tuple(f"over SSH, {kind} after {after} bytes: {failure}" for failure in failures + more),
                worst_resent=resent,
            )


def _break_off(device: SshDevice, proxy: FaultProxy, data: bytes, program: AgentProgram) -> list[str]:
    try:
        with device.client(port=proxy.port, limits=_HASTY, program=program) as client:
            client.stage(data)
    except NetworkError:
        return []
    return ["the upload went through"]


def _resume(device: SshDevice, data: bytes, program: AgentProgram) -> tuple[int, list[str]]:
    pause, failures = threading.Event(), []
    with device.client(program=program) as client:
        while client.status().locked_by is not None:  # until the other agent has given up on its host
            pause.wait(0.05)
        part = device.root / "incoming" / f"{sha256(data)}.part"
        received = part.stat().st_size if part.exists() else 0
        result = client.stage(data)
    resent = result.sent_bytes - (len(data) - received)
    if resent > MIB:
        failures.append(f"{resent} bytes that had arrived were sent again")
    if (device.root / "blobs" / result.sha256).read_bytes() != data:
        failures.append("the file on the device is another one")
    return resent, failures


def _encoding(number: int) -> str | None:
    return ("deflate", "delta", None, None, None, None)[number % 6]


def _upload(devices: WarmDevices, seed: int, encoding: str | None) -> CutUpload:
    """A new file and a new device, which has the base of a delta."""
    chance = random.Random(seed)  # noqa: S311 -- not a secret
    root, agents = devices.new(f"device-{seed}"), (devices.programs[0], devices.programs[1])
    if encoding is None:
        return CutUpload(root=root, data=chance.randbytes(_SIZE), programs=agents)
    if encoding == "deflate":
        data = chance.randbytes(_SIZE).translate(bytes(byte % 12 for byte in range(256)))
        return CutUpload(root=root, data=data, encoding=encoding, programs=agents)
    base = chance.randbytes(_SIZE)
    steps = chance.randbytes(_SIZE).translate(bytes(byte % 3 for byte in range(256)))
    with AgentProcess(root) as agent:
        agent.boot().stage(base)
    data = (np.frombuffer(base, np.uint8) + np.frombuffer(steps, np.uint8)).tobytes()
    return CutUpload(root=root, data=data, encoding=encoding, base=base, programs=agents)


def _flip_byte(place: int, content: bytearray) -> None:
    if content:
        content[min(place, len(content) - 1)] ^= 0x40


def _told(upload: CutUpload, cases: int) -> _Found:
    shutil.rmtree(upload.root)
    return _Found(cases=cases, failures=tuple(upload.failures), worst_resent=upload.worst_resent)


PROMISE = Promise(
    id="P9",
    title="An upload that was cut off goes on where it stopped, whatever cut it",
    sample=600,
    full=6000,
    run=run,
)
