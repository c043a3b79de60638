"""A release that is bad takes itself back, whoever is left to see it.

Injected: eleven faults, each before, during and after the switch, each with nothing else wrong, with a host that falls
silent for ever, and with an agent that is killed (or stopped, or ended in order) at that moment. All activations are
on trial: they have to be confirmed in a second.
What must hold: `current` leads to a whole release at any time, and to the old one in the end, without another host's
help; the device says why; the old release computes; the same digest is not taken again by itself; no process is left.
Child processes may take 4 s here instead of 300.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from edgekit.device.session import AgentProgram
from edgekit.selftest.lab.agent_process import AgentProcess, RefusedError, Release
from edgekit.selftest.lab.trials import CONFIRM_S, LIMIT_S, OLD, TrialDevice, bad_release, trial_program
from edgekit.selftest.promise import Lab, Outcome, Promise

MODEL_FAULTS: dict[str, dict[str, Any]] = {
    "crashes while it loads": {"load": "crash"},
    "hangs": {"run": "hang"},
    "eats all memory": {"load": "eat", "address_space_mib": 1024},
    "computes something else": {"scale": 3.0},
    "computes NaN": {"run": "nan"},
    "has become too slow": {"slow_s": 30},
    "dies after a while": {"dies_at": 2},
}
OTHER_FAULTS = ("loses the network", "kills the agent each time", "restarts the machine", "loses its host")
TIMES = ("before", "during", "after")
KINDS = ("error", "hang", "kill")
_EVENT = {"before": "golden", "during": "health"}


@dataclass(frozen=True, kw_only=True)
class Case:
    """One fault at one time, and what becomes of host and agent then."""

    fault: str
    time: str
    kind: str

    def __str__(self) -> str:
        return f"{self.fault}, {self.time} the switch, {self.kind}"

    @property
    def release(self) -> Release:
        """What is deployed."""
        return bad_release(self.time, MODEL_FAULTS.get(self.fault, {}))


def cases(lab: Lab) -> list[Case]:
    """All combinations, or each fault at each time with one kind."""
    faults = [*MODEL_FAULTS, *OTHER_FAULTS]
    chosen = []
    for (row, fault), (column, when), (place, kind) in product(enumerate(faults), enumerate(TIMES), enumerate(KINDS)):
        if lab.many(0, 1) or (row + column) % len(KINDS) == place:
            chosen.append(Case(fault=fault, time=when, kind=kind))
    return chosen


def _run(lab: Lab) -> Outcome:
    program = trial_program()
    template = TrialDevice.make(lab.folder / "template", program).root
    chosen = cases(lab)
    with ThreadPoolExecutor(max_workers=2) as pool:
        found = list(pool.map(lambda case: _try(case, lab.folder, template, program), chosen))
    failures = tuple(f"{case}: {trouble}" for case, (trouble, _) in zip(chosen, found, strict=True) if trouble)
    return Outcome(
        cases=len(chosen),
        failures=failures,
        facts={"back_s_max": round(max(seconds for _, seconds in found), 3), "confirm_s": CONFIRM_S},
    )


def _try(case: Case, folder: Path, template: Path, program: AgentProgram) -> tuple[str | None, float]:
    device = TrialDevice.make(folder / str(case).replace(" ", "-"), program, template)
    try:
        back_s = _Scenario(case, device).play()
        _check_afterwards(case, device)
    except (AssertionError, RefusedError) as trouble:
        return str(trouble), LIMIT_S
    finally:
        device.signal_all(signal.SIGKILL)
    return None, back_s


class _Scenario:
    """Lets the fault happen."""

    def __init__(self, case: Case, device: TrialDevice) -> None:
        self._case = case
        self._device = device

    def play(self) -> float:
        """Seconds from the fault until the old release is current again, for good."""
        kills = self._case.fault == "kills the agent each time"
        for _ in range(3 if kills and self._case.time != "after" else 1):
            with self._device.agent() as agent:
                self._deploy(agent)
                began = time.monotonic()
                self._device.wait_until_settled()
                self._device.wait_for(OLD.digest)
                back_s = time.monotonic() - began
                if kills:
                    agent.kill()  # who is only stopped would keep us at the end of the connection
                    _wait_for_peace(self._device)
        return back_s

    def _deploy(self, agent: AgentProcess) -> None:
        case, release = self._case, self._case.release
        for data in release.files:
            agent.stage(data)
        agent.ask("activate", manifest=release.manifest, expect=None, confirm_s=CONFIRM_S)
        if case.time == "after":
            answer = _answer(agent)
            assert answer.get("result", {}).get("confirm_left_s"), f"the activation was answered with {answer}"
            assert self._device.current() == release.digest, "a release on trial is not current"
        else:
            while agent.read().get("phase") != _EVENT[case.time]:
                pass
        if case.fault in MODEL_FAULTS:
            self._leave_alone(agent)
        elif case.fault == "loses its host":
            self._cut(agent)
            with self._device.agent() as other:  # another host comes along
                found = other.request("status")
                assert found["pending"] in (None, release.digest), f"status tells of {found['pending']}"
        elif case.fault == "loses the network":
            self._cut(agent)
        elif case.fault == "kills the agent each time":
            numbers = {"kill": signal.SIGKILL, "hang": signal.SIGSTOP, "error": signal.SIGTERM}
            agent.process.send_signal(numbers[case.kind])
        else:
            self._restart(agent)

    def _leave_alone(self, agent: AgentProcess) -> None:
        """What the host does when the model goes wrong, or when there is no host any more."""
        case = self._case
        if case.kind == "kill":
            agent.kill()
        elif case.kind == "error" and case.time == "after":
            with suppress(RefusedError):
                computed = self._device.infer(agent)
                assert computed != [2.0 * value for value in range(1, 9)], "the fault did not show"
            with suppress(RefusedError):  # it may have gone back already, while the host was looking
                agent.request("confirm", digest=case.release.digest, refuse=f"the host found that it {case.fault}")
        elif case.kind == "error":
            answer = _answer(agent)
            assert "error" in answer, "a bad release was activated"

    def _cut(self, agent: AgentProcess) -> None:
        if self._case.kind == "kill":
            agent.kill()
        elif self._case.kind == "error":
            agent.end()

    def _restart(self, agent: AgentProcess) -> None:
        """Everything ends, then the boot script runs the recovery, before any host is there."""
        first = {"kill": signal.SIGKILL, "hang": signal.SIGSTOP, "error": signal.SIGTERM}[self._case.kind]
        self._device.signal_all(first)
        self._device.signal_all(signal.SIGKILL)
        agent.process.wait(LIMIT_S)
        self._device.machine.reboot()
        root = self._device.root
        archive = next((root / "agents").glob("*.pyz"))
        command = [sys.executable, "-I", str(archive), "recover", str(root)]
        env = {**self._device.machine.env, "EDGEKIT_ROOT": str(root)}
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=LIMIT_S, check=False)
        assert done.returncode == 0, f"recover at boot ended with {done.returncode}: {done.stderr}"
        assert self._device.current() == OLD.digest, "the release on trial survived a restart and its recovery"


def _answer(agent: AgentProcess) -> dict[str, Any]:
    while "event" in (message := agent.read()):
        pass
    return message


def _has_failed(case: Case) -> bool:
    """Whether the device has learnt something of the release, and not only lost its host, agent or power."""
    if case.fault in MODEL_FAULTS:
        return case.time == "after" or case.kind != "kill"
    if case.fault == "kills the agent each time":
        return case.time == "after" or case.kind != "error"  # an agent that is told to end leaves nothing to count
    if case.fault == "restarts the machine":
        return case.time == "after"
    return case.time == "after" or case.kind == "hang"


def _check_afterwards(case: Case, device: TrialDevice) -> None:
    release = case.release
    with device.agent() as agent:
        device.wait_for(OLD.digest)
        status = _settled(agent)
        assert (status["active"], status["pending"]) == (OLD.digest, None), f"status tells of {status['active']}"
        assert (release.digest in status["failed"]) == _has_failed(case), f"failed is {status['failed']}"
        assert device.infer(agent) == [float(value) for value in range(1, 9)], "the old release computes something else"
        if release.digest in status["failed"]:
            agent.ask("activate", manifest=release.manifest, expect=None)
            answer = _answer(agent)
            assert answer.get("error", {}).get("code") == "E_ROLLED_BACK", f"taken once more: {answer}"
    _wait_for_peace(device)


def _settled(agent: AgentProcess) -> dict[str, Any]:
    """The status once the lock is free: the watchdog, or an agent that is told to end, may still be at it."""
    deadline = time.monotonic() + LIMIT_S
    while True:
        agent.ask("collect", keep=9, data=False)
        answer = _answer(agent)
        if "result" in answer:
            return agent.request("status")
        assert answer["error"]["code"] == "E_LOCKED", f"a look at the device was answered with {answer}"
        assert time.monotonic() < deadline, "the lock does not come free"
        time.sleep(0.05)


def _wait_for_peace(device: TrialDevice) -> None:
    deadline = time.monotonic() + LIMIT_S
    while left := list(device.processes()):
        assert time.monotonic() < deadline, f"{len(left)} processes are left"
        time.sleep(0.05)


PROMISE = Promise(
    id="P8",
    title="A bad release takes itself back, also when host, agent, network or power are lost",
    sample=33,
    full=99,
    run=_run,
)
