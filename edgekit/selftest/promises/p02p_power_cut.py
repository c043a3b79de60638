"""P2p: what P1 and P2 promise, on a whole machine that loses its power.

Injected: an emulated Raspberry Pi 4 with a kernel and an ext4 file system of its own is switched off at a random moment
of an upload, at one of an activation, and right after an activation was acknowledged. The emulator is killed, so that
what the machine has not written out is gone; the same disk boots again and replays its journal.

Must hold: the machine comes back, the agent answers, and what is active is the old release or the new one, of which it
infers the right answers; after an upload it is the old one, after an acknowledgement the new one; and deploying again
ends with the new one.
"""

from __future__ import annotations

import random
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from edgekit.config.targets import list_targets, load_target
from edgekit.core.device_entry import DeviceEntry
from edgekit.core.errors import EdgekitError, NetworkError
from edgekit.core.events import Event, OnEvent
from edgekit.device.client import DeviceClient
from edgekit.device.connect import connect
from edgekit.emulators import MachineSpec, emulator
from edgekit.flows.emulator import entry_of, machine_of
from edgekit.selftest.lab.agent_process import Release, fake_release
from edgekit.selftest.promise import Lab, Outcome, Promise
from edgekit.transports import Limits

UPLOAD, ACTIVATION, ACKNOWLEDGED = "upload", "activation", "acknowledged"
_PHASES = (UPLOAD, ACTIVATION, ACKNOWLEDGED)
_NAME = "pi"
_CPU = "cortex-a72"
_RAM_BYTES = 512 * 2**20
_DISK_BYTES = 64 * 2**20
_PADDING_BYTES = 1_500_000
"""Of each model, so that its upload takes a while."""
_INPUT = np.arange(4, dtype=np.float32)[None]
_PATIENCE = Limits(connect_s=60, banner_s=60, auth_s=60, channel_s=60, idle_s=120)
"""An emulated machine on a busy computer is no faster than that; a lost connection is told at once all the same."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """What a machine says after it has booted.

    Attributes:
        active: digest of the active release.
        answers: what that release makes of 0, 1, 2, 3; None if it does not infer.
        trouble: the error that it answers with, if it does.
    """

    active: str | None = None
    answers: bytes | None = None
    trouble: str | None = None


def run(lab: Lab) -> Outcome:
    """Cut the power again and again, each time while something else is to become active."""
    plays = emulator("system")
    if missing := plays.missing():
        return Outcome(cases=0, not_tried=(f"a machine needs {', '.join(item.what for item in missing)}",))
    state_dir = lab.folder / "machines"
    try:
        entry = entry_of(plays.up(_machine(), name=_NAME, state_dir=state_dir, on_event=partial(_tell, lab.on_event)))
    except NetworkError as cause:
        return Outcome(cases=0, not_tried=(f"the machine's system cannot be fetched: {cause.message}",))
    try:
        return _Cuts(lab=lab, entry=entry, state_dir=state_dir).run()
    finally:
        plays.down(_NAME, state_dir=state_dir)


def trouble_with(found: Found, phase: str, old: Release, new: Release, *, acknowledged: bool) -> str | None:
    """What breaks the promise, None if nothing does.

    Args:
        found: after the boot.
        phase: in which the power went.
        old, new: the release that was active, and the one that was to become it.
        acknowledged: the new one was said to be active.
    """
    if found.trouble is not None:
        return found.trouble
    if found.active not in (old.digest, new.digest):
        return f"{found.active or 'nothing'} is active, neither old nor new"
    if acknowledged and found.active != new.digest:
        return "an acknowledged release is gone"
    if phase == UPLOAD and found.active != old.digest:
        return "an upload has changed what is active"
    if found.answers != _right_answers(new if found.active == new.digest else old):
        return "the active release does not infer what it should"
    return None


@dataclass(kw_only=True)
class _Cuts:
    lab: Lab
    entry: DeviceEntry
    state_dir: Path

    def run(self) -> Outcome:
        """Deploy release after release, each into a power cut, and look at what the machine boots with."""
        chance = random.Random(self.lab.seed)  # noqa: S311 - moments, no keys
        failures: list[str] = []
        found_old = found_new = acknowledgements = 0
        old = _release(0)
        with connect(self.entry, limits=_PATIENCE) as client:
            upload_s, activation_s = _timed(partial(_stage, client, old)), _timed(partial(_activate, client, old))
        longest_s = {UPLOAD: upload_s, ACTIVATION: activation_s, ACKNOWLEDGED: 0.0}
        cuts = self.lab.many(3, 30)
        for number in range(cuts):
            new, phase = _release(number + 1), _PHASES[number % len(_PHASES)]
            self.lab.on_event(Event(phase="power", message=f"cutting the power: {phase}", done=number, total=cuts))
            after_s = longest_s[phase] * chance.random()
            acknowledged = self._cut(phase, new, after_s)
            found = self._boot()
            trouble = trouble_with(found, phase, old, new, acknowledged=acknowledged) or self._deployed_again(new)
            if trouble is not None:
                failures.append(f"cut {number}, {phase} after {after_s:.3f} s: {trouble}")
            found_old += found.active == old.digest
            found_new += found.active == new.digest
            acknowledgements += acknowledged
            if found.trouble is not None:
                break  # a machine that does not come back is the end of the experiment
            old = new
        facts = {"found_old": found_old, "found_new": found_new, "acknowledged": acknowledgements}
        return Outcome(cases=number + 1, failures=tuple(failures), facts=facts)

    def _cut(self, phase: str, new: Release, after_s: float) -> bool:
        """Switch the machine off while it works; returns whether it acknowledged the new release before."""
        with connect(self.entry, limits=_PATIENCE) as client:
            if phase == UPLOAD:
                self._without_power(partial(_stage, client, new), after_s)
                return False
            _stage(client, new)
            if phase == ACTIVATION:
                return self._without_power(partial(_activate, client, new), after_s)
            _activate(client, new)
            self._switch_off()
            return True

    def _without_power(self, work: Callable[[], None], after_s: float) -> bool:
        """Do something, switch the machine off meanwhile; returns whether it was done."""
        timer = threading.Timer(after_s, self._switch_off)
        timer.start()
        try:
            work()
        except EdgekitError:
            return False
        finally:
            timer.join()
        return True

    def _switch_off(self) -> None:
        emulator("system").kill(_NAME, state_dir=self.state_dir)

    def _boot(self) -> Found:
        try:
            emulator("system").power_on(_NAME, state_dir=self.state_dir)
            with connect(self.entry, limits=_PATIENCE) as client:
                active = client.status().active
                if active is None:
                    return Found()
                answer = client.infer([_INPUT]).outputs[0].array
                return Found(active=active, answers=answer.astype("<f4").tobytes())
        except EdgekitError as cause:
            return Found(trouble=f"{cause.code}: {cause.message}")

    def _deployed_again(self, release: Release) -> str | None:
        """What is wrong with a second deploy of the same release, if anything; it also makes room for the next."""
        try:
            with connect(self.entry, limits=_PATIENCE) as client:
                _stage(client, release)
                _activate(client, release)
                client.collect(keep=0, data=True)
                active = client.status().active
        except EdgekitError as cause:
            return f"deploying again: {cause.code}: {cause.message}"
        return None if active == release.digest else "deploying again does not end with the new release"


def _machine() -> MachineSpec:
    """A board with a Cortex-A72, with less memory and a smaller card: both cost this computer their size."""
    targets = map(load_target, list_targets())
    target = next(one for one in targets if one.emulator is not None and one.emulator.cpu == _CPU)
    return replace(machine_of(target), ram_bytes=_RAM_BYTES, disk_bytes=_DISK_BYTES)


def _release(number: int) -> Release:
    """A model that multiplies by a number of its own, with padding that does not compress away."""
    padding = random.Random(number).randbytes(_PADDING_BYTES).hex()  # noqa: S311 - bulk, no keys
    return fake_release(2.0 + number, model_fields={"padding": padding})


def _right_answers(release: Release) -> bytes:
    """The golden output's first sample: 0, 1, 2, 3 times the model's number."""
    return release.files[-1][: 4 * struct.calcsize("f")]


def _stage(client: DeviceClient, release: Release) -> None:
    for data in release.files:
        client.stage(data)


def _activate(client: DeviceClient, release: Release) -> None:
    client.activate(release.manifest)


def _timed(work: Callable[[], None]) -> float:
    started = time.monotonic()
    work()
    return time.monotonic() - started


def _tell(on_event: OnEvent, message: str) -> None:
    on_event(Event(phase="emulator", message=message))


PROMISE = Promise(
    id="P2p",
    title="An activation survives a power cut of the whole machine",
    sample=3,
    full=30,
    run=run,
)
