"""Many hosts deploy to one device at once: one after the other gets through, and everybody learns what became of it.

Injected: as many agents as deployers, all asked to activate releases of their own in the same moment, with and without
saying what they believe to be active; in each round one agent is killed in the middle, in every third a host has a
lease, in some it sleeps too long and its lease goes to another, and the machine's clock jumps.
What must hold: the acknowledged activations form one chain from what was active before to what is active now, each with
the one before it as `previous`; whoever does not get through changed nothing and is told E_LOCKED with the holder, or
what is active instead; nobody but the holder of the newest token changes a device that is leased; locks die with their
process. The golden run starts no process here.
"""

from __future__ import annotations

import random
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgekit.device.session import AgentProgram
from edgekit.selftest.lab.agent_process import AgentProcess, RefusedError, Release, fake_release
from edgekit.selftest.lab.altered_agent import MACHINE, QUICK_PROOF, LabMachine, altered
from edgekit.selftest.promise import Lab, Outcome, Promise

_DEPLOYERS = 50
_TTL_S = 60.0


@dataclass(kw_only=True)
class Round:
    """What became of the activations of one round.

    Attributes:
        before: what was active.
        accepted: active release to the one before it, of each that was acknowledged.
        lost: those whose agent was killed: any of them may have come through.
    """

    before: str | None
    accepted: dict[str, str | None] = field(default_factory=dict)
    lost: set[str] = field(default_factory=set)

    def broken(self, after: str | None) -> str | None:
        """Why these are not one activation after the other; None when they are."""
        followers: dict[str | None, str] = {}
        for digest, previous in self.accepted.items():
            if followers.setdefault(previous, digest) != digest:
                return f"both {digest[:8]} and {followers[previous][:8]} took the place of {previous}"
        place, seen, gaps = self.before, 0, 0
        while place != after or seen < len(self.accepted):
            if place in followers:
                place, seen = followers[place], seen + 1
            elif gaps < len(self.lost):  # one of the lost came through unseen; go on behind it
                gaps += 1
                starts = [one for one in self.lost if one in followers or one == after]
                if not starts:
                    return f"after {place} nothing follows, but {after} is active"
                place = starts[0]
                self.lost.discard(place)
            else:
                return f"{len(self.accepted) - seen} acknowledged activations are not on the way to {after}"
        return None


class Deployers:
    """Hosts with one agent each on one device.

    Args:
        folder: does not exist yet.
        program: the agent.
        count: how many hosts.
        stack: ends the agents.
    """

    def __init__(self, folder: Path, program: AgentProgram, count: int, stack: ExitStack) -> None:
        folder.mkdir()
        self.machine = LabMachine(folder=folder / "machine")
        self._root, self._program, self._stack = folder / "root", program, stack
        self.agents = [self.start() for _ in range(count)]
        self._made = 0

    def start(self) -> AgentProcess:
        """One more agent on the device."""
        return self._stack.enter_context(AgentProcess(self._root, env=self.machine.env, program=self._program).boot())

    def new_release(self) -> Release:
        """One that no device has seen, staged."""
        self._made += 1
        release = fake_release(float(self._made), golden=None)
        for data in release.files:
            self.agents[0].stage(data)
        return release


def _run(lab: Lab) -> Outcome:
    rounds, deployers = lab.many(10, 20), lab.many(15, _DEPLOYERS)
    choose = random.Random(lab.seed)  # noqa: S311  # chooses faults, guards nothing
    failures: list[str] = []
    facts = {"deploys": 0, "acknowledged": 0, "refused": 0, "killed": 0, "late_writers_refused": 0}
    with ExitStack() as stack:
        hosts = Deployers(lab.folder / "device", altered(*MACHINE, *QUICK_PROOF), deployers, stack)
        for number in range(rounds):
            hosts.machine.sleep(choose.choice([0, 3600, 86_400]))
            if number % 3 == 2:
                failures += [f"round {number}: {line}" for line in _leased(hosts, choose, facts)]
            failures += [f"round {number}: {line}" for line in _compete(hosts, choose, facts)]
            facts["deploys"] += deployers
    return Outcome(cases=facts["deploys"], failures=tuple(failures), facts=dict(facts))


def _compete(hosts: Deployers, choose: random.Random, facts: dict[str, int]) -> list[str]:
    """All activate at once; one of them is killed."""
    releases = [hosts.new_release() for _ in hosts.agents]
    found = Round(before=hosts.agents[0].request("status")["active"])
    troubles = []
    order = list(range(len(hosts.agents)))
    choose.shuffle(order)
    for place in order:
        expect = found.before if choose.random() < 0.5 else None
        hosts.agents[place].ask("activate", manifest=releases[place].manifest, expect=expect)
    victim = choose.choice(order)
    hosts.agents[victim].kill()
    for place in order:
        answer = _answer(hosts.agents[place])
        digest = releases[place].digest
        if answer is None:
            found.lost.add(digest)
            facts["killed"] += 1
        elif "result" in answer:
            found.accepted[digest] = answer["result"]["previous"]
            facts["acknowledged"] += 1
        else:
            troubles += _check_refusal(answer["error"])
            facts["refused"] += 1
    hosts.agents[victim] = hosts.start()
    status = hosts.agents[victim].request("status")
    if status["locked_by"] is not None:
        troubles.append(f"the lock outlived its holder: {status['locked_by']}")
    hosts.agents[victim].request("collect", keep=2, data=False)  # whoever comes next mends what the killed one left
    if (broken := found.broken(hosts.agents[victim].request("status")["active"])) is not None:
        troubles.append(broken)
    return troubles


def _answer(agent: AgentProcess) -> dict[str, Any] | None:
    """The answer to the last request; None when the agent was killed before it had one."""
    with suppress(AssertionError):
        while "event" in (message := agent.read()):
            pass
        return message
    return None


def _check_refusal(error: dict[str, Any]) -> list[str]:
    if error["code"] != "E_LOCKED":
        return [f"a loser was told {error['code']}: {error['message']}"]
    details = error["details"]
    if not ({"pid", "since_s"} <= set(details) or {"active", "expect"} <= set(details)):
        return [f"a loser was told only {sorted(details)}"]
    return []


def _leased(hosts: Deployers, choose: random.Random, facts: dict[str, int]) -> list[str]:
    """A host with a lease sleeps too long; another takes the device; the first wakes up and writes."""
    first, second, third = choose.sample(hosts.agents, 3)
    early, release, late = hosts.new_release(), hosts.new_release(), hosts.new_release()
    troubles = []
    old = first.request("lease", owner="first", ttl_s=_TTL_S)["token"]
    for agent, token in ((third, None), (third, old - 1)):
        troubles += _must_be_locked(agent, early, token, "somebody else's request went through")
    hosts.machine.sleep(_TTL_S + 1)
    new = second.request("lease", owner="second", ttl_s=_TTL_S)["token"]
    if new <= old:
        troubles.append(f"the token {new} came after {old}")
    troubles += _must_be_locked(first, late, old, "a host whose lease was over changed the device")
    facts["late_writers_refused"] += 1
    before = second.request("status")["active"]
    second.request("activate", manifest=release.manifest, expect=before, token=new)
    if second.request("status")["active"] != release.digest:
        troubles.append("the holder of the lease could not deploy")
    second.request("lease", release=True, token=new)
    return troubles + _must_be_locked(second, late, new, "a lease that was given back still let a request through")


def _must_be_locked(agent: AgentProcess, release: Release, token: int | None, otherwise: str) -> list[str]:
    try:
        agent.request("activate", manifest=release.manifest, expect=None, token=token)
    except RefusedError as refusal:
        told = {"owner", "expires_s", "token"} <= set(refusal.details)
        return [] if refusal.code == "E_LOCKED" and told else [f"refused with {refusal.code}, {refusal.details}"]
    return [otherwise]


PROMISE = Promise(
    id="P11",
    title="Hosts that deploy at the same time are served one after the other, and a late writer is refused",
    sample=150,
    full=1000,
    run=_run,
)
