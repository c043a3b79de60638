"""The device's wall clock stands at 1970, 2000, 2038 or 2100, swings by a second, or is set while we work.

Releases are deployed, tried, taken back and measured, and an upload is cut and resumed, by agents whose Python (and
that of its children) reads such a clock. What it answers has to be what an agent with a good clock answers, durations
have to be durations, and a clock that is more than five minutes off has to be reported. The clock of the kernel, which
stamps files, stays as it is.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from edgekit.device.conditions import conditions_of
from edgekit.device.fields import Fields
from edgekit.device.session import AgentProgram
from edgekit.flows.doctor import clock_finding
from edgekit.selftest.lab.agent_process import AgentProcess, RefusedError, Release, fake_release, floats
from edgekit.selftest.lab.clocks import CLOCKS, agent_with
from edgekit.selftest.lab.cut_upload import MIB, Cut, CutUpload
from edgekit.selftest.lab.warm_device import WarmDevices
from edgekit.selftest.promise import Lab, Outcome, Promise

_TRIAL_S = 600.0
_LONG_S = 60.0
"""Nothing here takes so long; a duration beyond it comes from a wrong clock."""

Answers = Mapping[str, Any]
Flow = Callable[[Path, AgentProgram], Answers]


def run(lab: Lab) -> Outcome:
    """Do everything with each clock, and once with a good one."""
    with ThreadPoolExecutor(2) as workers:
        good = workers.submit(_with_clock, lab.folder / "good", AgentProgram.current())
        tried = {clock: workers.submit(_with_clock, lab.folder / clock, agent_with(clock)) for clock in CLOCKS}
    failures = []
    for clock, found in tried.items():
        for name, answer in found.result().items():
            failures += [f"{clock}, {name}: {wrong}" for wrong in _differences(answer, good.result()[name])]
        failures += _unreported(clock, lab.folder / f"{clock} report")
    return Outcome(cases=len(tried) * len(FLOWS), failures=tuple(failures))


def _with_clock(folder: Path, program: AgentProgram) -> Mapping[str, Answers]:
    """What each flow answers on a device of its own."""
    devices, answers = WarmDevices(folder, program), {}
    for name, flow in FLOWS.items():
        try:
            answers[name] = flow(devices.new(name), program)
        except (AssertionError, RefusedError) as error:
            answers[name] = {"error": str(error)}
    return answers


def deploy(root: Path, program: AgentProgram) -> Answers:
    """Deploy, again, and a release that fails its golden run."""
    with AgentProcess(root, program=program) as agent:
        agent.boot()
        first, again = agent.deploy(fake_release(2.0)), agent.deploy(fake_release(2.0))
        refusal = _refusal(agent, fake_release(3.0, golden_scale=4.0))
        return {
            "first": _links(first),
            "again": (_links(again), again["unchanged"]),
            "refusal": refusal,
            "status": _status(agent),
            "durations": [first["seconds"], again["seconds"]],
        }


def resume(root: Path, program: AgentProgram) -> Answers:
    """Cut an upload, and let it go on; meanwhile somebody else finds the device locked."""
    chance = random.Random(1)  # noqa: S311 -- not a secret
    upload = CutUpload(root=root, data=chance.randbytes(2 * MIB + 77), programs=(program, program))
    upload.attempt(Cut(until=MIB + 5, kind="end"))
    upload.attempt(Cut(until=2 * MIB, kind="kill"))
    upload.finish()
    with AgentProcess(root, program=program) as holder, AgentProcess(root, program=program) as other:
        data = chance.randbytes(1000)
        holder.boot().ask("stage", sha256="0" * 64, size=len(data))
        holder.read()
        other.boot()
        held = other.request("status")["locked_by"]
        refusal = _refusal(other, fake_release())
        return {"failures": upload.failures, "refusal": refusal, "durations": [held["since_s"] if held else -1]}


def roll_back(root: Path, program: AgentProgram) -> Answers:
    """Two releases and the way back, in the next agent; then what nobody needs is swept away."""
    with AgentProcess(root, program=program) as agent:
        agent.boot()
        for scale in (2.0, 3.0, 5.0):
            agent.deploy(fake_release(scale, counter=int(scale)))
    with AgentProcess(root, program=program) as agent:
        back = agent.boot().request("rollback", to=None)
        old = _refusal(agent, fake_release(7.0, counter=1))
        swept = agent.request("collect", keep=0, data=True)
        return {"back": _links(back), "old": old, "swept": swept["removed"], "status": _status(agent)}


def try_out(root: Path, program: AgentProgram) -> Answers:
    """A release on trial, which the host confirms."""
    release = fake_release(3.0)
    with AgentProcess(root, program=program) as agent:
        agent.boot().deploy(fake_release(2.0))
        for data in release.files:
            agent.stage(data)
        begun = agent.request("activate", manifest=release.manifest, expect=None, confirm_s=_TRIAL_S)
        on_trial = agent.request("status")
        ended = agent.request("confirm", digest=release.digest)
        return {
            "begun": _links(begun),
            "ended": _links(ended),
            "pending": on_trial["pending"],
            "status": _status(agent),
            "durations": [_TRIAL_S - begun["confirm_left_s"], _TRIAL_S - on_trial["confirm_left_s"]],
        }


def measure(root: Path, program: AgentProgram) -> Answers:
    """Time a model, and hear what the device says of itself."""
    x = floats(*range(4))
    with AgentProcess(root, program=program) as agent:
        agent.boot().deploy(fake_release())
        begun = time.monotonic_ns()
        found = agent.request(
            "measure",
            artifact={"release": "active"},
            inputs=[{"blob": agent.stage(x), "shape": [1, 4], "dtype": "float32"}],
            options={},
            processes=2,
            warmup=1,
            samples=5,
            min_seconds=0,
        )
        wall_ns = time.monotonic_ns() - begun
    runs = found["runs"]
    claimed_ns = sum(sum(run["samples_ns"]) + run["load_ns"] + run["first_ns"] for run in runs)
    return {
        "runs": [(run["child"]["exit"], len(run["samples_ns"]), min(run["samples_ns"]) > 0) for run in runs],
        "honest": claimed_ns <= wall_ns,
        "durations": [(run["after"]["monotonic_ns"] - run["before"]["monotonic_ns"]) / 1e9 for run in runs],
    }


FLOWS: Mapping[str, Flow] = {
    "deploy": deploy,
    "resume": resume,
    "try out": try_out,
    "roll back": roll_back,
    "measure": measure,
}


def _differences(found: Answers, good: Answers) -> Iterator[str]:
    for name, value in found.items():
        if name == "durations":
            yield from (f"a duration of {seconds:g} s" for seconds in value if not 0 <= seconds < _LONG_S)
        elif value != good.get(name):
            yield f"{name} is {value!r}, with a good clock it is {good.get(name)!r}"


def _unreported(clock: str, root: Path) -> Iterator[str]:
    """Whether a person hears of the clock who should, and of no other."""
    with AgentProcess(root, program=agent_with(clock)) as agent:
        answers = [agent.boot().request("probe", runtimes=[]), agent.request("probe", runtimes=[])]
    told = conditions_of(Fields(answers[-1], "probe").fields("environment"))
    (finding,) = clock_finding(told, time.time_ns())
    if finding.ok != (clock == "to and fro by a second"):
        yield f"{clock}: the clock is {finding.fact}, which is told as {'right' if finding.ok else 'wrong'}"


def _status(agent: AgentProcess) -> Answers:
    status = agent.request("status")
    names = ("active", "previous", "releases", "pending", "failed", "bundles", "counter", "locked_by")
    return {name: status[name] for name in names}


def _links(answer: Answers) -> tuple[str | None, str | None]:
    return answer["active"], answer["previous"]


def _refusal(agent: AgentProcess, release: Release) -> str:
    try:
        agent.deploy(release)
    except RefusedError as refusal:
        return refusal.code
    return "none"


PROMISE = Promise(
    id="P14",
    title="A wrong wall clock on the device changes no decision and no duration, and is reported",
    sample=35,
    full=35,
    run=run,
)
