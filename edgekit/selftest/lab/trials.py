"""A device with a good release, and a new one that goes wrong when it is told to; for experiments with the way back."""

from __future__ import annotations

import array
import json
import os
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit.device.session import AgentProgram
from edgekit.selftest.lab.agent_process import AgentProcess, Release, fake_release, floats
from edgekit.selftest.lab.altered_agent import MACHINE, LabMachine, altered

OLD = fake_release(1.0)
CONFIRM_S = 1.0
"""Of each trial; people give a minute."""

GOLDEN_S = 4.0
LIMIT_S = 60.0
"""Until the old release has to be back, with all that a busy computer adds."""

_RUNNER = '''"""The fake runtime, with a model that goes wrong before the switch, during it, or after it."""
import json, os, resource, signal, time
from device_agents.linux.runners import fake
FORMATS, versions, prepare, probe = ("fake",), fake.versions, fake.prepare, fake.probe

def _time(path):
    blob = os.readlink(path)
    root = os.path.dirname(os.path.dirname(blob))
    try:
        with open(root + "/current") as file:
            placed = os.path.basename(blob) in file.read()
    except FileNotFoundError:
        placed = False
    with open(root + "/state.json") as file:
        pending = json.load(file)["pending"]
    return "before" if not placed else "after" if pending is None or "until" in pending else "during"

class Session(fake.Session):
    def __init__(self, model):
        super().__init__(model)
        self._model, self._calls = model, 0

    def run(self, values):
        self._calls += 1
        time.sleep(self._model.get("slow_s", 0))
        if self._calls == self._model.get("dies_at"):
            os.kill(os.getpid(), signal.SIGKILL)
        return super().run(values)

def load(path, options):
    with open(path) as file:
        model = json.load(file)
    if model["when"] == _time(path):
        model.update(model["then"])
    if "address_space_mib" in model:
        size = model["address_space_mib"] * 1024 * 1024
        resource.setrlimit(resource.RLIMIT_AS, (size, size))
    fake._go_wrong(model.get("load", "ok"))
    return Session(model)
'''


def bad_release(when: str, then: dict[str, Any]) -> Release:
    """A release that behaves like a good one except at one time: "before", "during" or "after" the switch."""
    return fake_release(2.0, runtime="moody", model_fields={"when": when, "then": then})


def trial_program() -> AgentProgram:
    """The agent on a `LabMachine`, whose golden run and whose switch may take seconds instead of minutes."""
    return altered(
        *MACHINE,
        ("_PROVE_TIMEOUT_S = 300.0", f"_PROVE_TIMEOUT_S = {GOLDEN_S}"),
        ("_SWITCH_S = 900.0", f"_SWITCH_S = {1.5 * GOLDEN_S}"),
    )


@dataclass(kw_only=True)
class TrialDevice:
    """A device on which OLD is active; use `make`.

    Attributes:
        root: its ROOT.
        machine: what it takes for its machine.
        program: its agent.
    """

    root: Path
    machine: LabMachine
    program: AgentProgram

    @classmethod
    def make(cls, folder: Path, program: AgentProgram, template: Path | None = None) -> TrialDevice:
        """A new device in a folder that does not exist yet, or a copy of one that has OLD."""
        folder.mkdir(parents=True)
        device = cls(root=folder / "root", machine=LabMachine(folder=folder / "machine"), program=program)
        (folder / "runners").mkdir()
        (folder / "runners" / "moody.py").write_text(_RUNNER)
        if template is None:
            with device.agent() as agent:
                agent.deploy(OLD)
        else:
            shutil.copytree(template, device.root, symlinks=True)
        return device

    def agent(self) -> AgentProcess:
        """A running agent there, for a `with`."""
        env = {**self.machine.env, "EDGEKIT_RUNNERS": str(self.root.parent / "runners")}
        return AgentProcess(self.root, env=env, program=self.program).boot()

    def current(self) -> str | None:
        """The release that `current` leads to, None when there is none; a link to nothing is an error."""
        link = self.root / "current"
        for _ in range(2):  # a switch may come between the two looks
            try:
                target = link.readlink()
            except FileNotFoundError:
                return None
            if (self.root / target).is_file():
                return target.stem
        raise AssertionError(f"current leads to {target}, where nothing is")

    def wait_for(self, digest: str) -> None:
        """Until a release is current; it takes no further agent for that.

        Raises:
            AssertionError: it did not happen in time, or current led to nothing meanwhile.
        """
        began = time.monotonic()
        while self.current() != digest:
            if time.monotonic() - began > LIMIT_S:
                raise AssertionError(f"after {LIMIT_S:g} s {self.current()} is still current")
            time.sleep(0.02)

    def wait_until_settled(self) -> None:
        """Until state.json tells of no switch and no trial any more.

        Raises:
            AssertionError: it did not happen in time.
        """
        deadline = time.monotonic() + LIMIT_S
        while json.loads((self.root / "state.json").read_text())["pending"] is not None:
            assert time.monotonic() < deadline, f"after {LIMIT_S:g} s a switch is still pending"
            time.sleep(0.02)

    def processes(self) -> Iterator[int]:
        """All that run there: agents, their children, watchdogs."""
        mark = f"EDGEKIT_ROOT={self.root}".encode()
        for entry in Path("/proc").iterdir():
            with suppress(OSError):
                if entry.name.isdigit() and mark in (entry / "environ").read_bytes().split(b"\0"):
                    yield int(entry.name)

    def signal_all(self, number: signal.Signals) -> None:
        """As a power cut or a shutdown does, to every process there."""
        for pid in list(self.processes()):
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def infer(self, agent: AgentProcess) -> list[float]:
        """What the active release makes of the numbers from 1 to 8, two samples."""
        data = agent.stage(floats(*range(1, 9)))
        tensor = {"blob": data, "shape": [2, 4], "dtype": "float32"}
        agent.request("infer", artifact={"release": "active"}, inputs=[tensor], options={"timeout_s": GOLDEN_S})
        return list(array.array("f", agent.payloads[0][1]))
