"""An older release does not come back by being sent again.

Injected: the last twenty releases, signed in turn for the device and for its group, are replayed with their counters,
for the one and for the other, and each envelope is put on another release's manifest; as they are, after the agent was
removed, after state.json was lost, after floor.json too, and with clocks of 1970, 2038 and ten years off; counters of
all sizes; and a release with the highest counter there is, after which nothing could follow.
What must hold: a replay is refused, before the manifest is parsed, and the newest release stays active; a release that
the device still has can be gone back to; the floor rises with a commit, not before; after the highest counter, a policy
that the key has signed resets the floor, once: replayed, it does nothing.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from edgekit.bundle.sign import SigningKey
from edgekit.bundle.statement import MAX_COUNTER, Audience, TrustPolicy
from edgekit.selftest.lab import signing
from edgekit.selftest.lab.agent_process import AgentProcess, RefusedError, Release, fake_release
from edgekit.selftest.promise import Lab, Outcome, Promise

RELEASES = [fake_release(float(number), golden=None) for number in range(1, 22)]
NEWEST, BROKEN = RELEASES[-1], fake_release(99.0, golden_scale=98.0)
AUDIENCES = (signing.AUDIENCE, signing.GROUP_AUDIENCE)
_YEAR_S = 365 * 86_400
_AT = """
import sys, time
told, source = sys.argv[1], sys.argv[-1]
at = (time.time() if told[0] in "+-" else 0.0) + float(told)
time.time, time.time_ns = (lambda: at), (lambda: int(at * 1e9))
sys.argv = ["-c"]
exec(compile(source, "bootstrap", "exec"), {"__name__": "__main__"})
"""
"""Runs the bootstrap with a clock that stands, at a time or so far from now."""


class _Trial:
    """What is tried on one ROOT."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.cases = 0
        self.failures: list[str] = []

    def refuse(self, agent: AgentProcess, what: str, place: int, counter: int, audience: Audience) -> None:
        """Replay a release with the envelope of another, or with its own."""
        self.cases += 1
        case = f"{what}, release {place + 1} for {audience} with counter {counter}"
        manifest, envelope = RELEASES[place].manifest, signing.signed(RELEASES[counter - 1], counter, audience=audience)
        try:
            agent.request("activate", manifest=manifest, expect=None, envelope=envelope)
        except RefusedError as refusal:
            went_on = any(event["event"] == "progress" for event in agent.events)
            if refusal.code != "E_VERIFY" or went_on:
                self.failures.append(f"{case}: {refusal}")
        else:
            self.failures.append(f"{case}: it was taken")
        if (self.root / "current").readlink().stem != NEWEST.digest:
            self.failures.append(f"{case}: the newest is not active")

    def expect(self, what: str, holds: bool) -> None:
        """One more case, which is a comparison."""
        self.cases += 1
        if not holds:
            self.failures.append(what)

    def replays(self, what: str, wrap: Sequence[str] = ()) -> None:
        """A new agent, to which the older releases are sent again."""
        with AgentProcess(self.root, wrap=wrap) as agent:
            agent.boot()
            for place in range(len(RELEASES) - 1):
                for audience in AUDIENCES:
                    self.refuse(agent, what, place, place + 1, audience)
            self.expect(f"{what}: the floor", agent.request("status")["counter"] == len(RELEASES))


def _run(lab: Lab) -> Outcome:
    root = lab.folder / "root"
    trial = _Trial(root)
    with AgentProcess(root) as agent:
        agent.boot()
        signing.trust(agent, signing.policy())
        for counter, release in enumerate(RELEASES, 1):
            signing.deploy(agent, release, counter, audience=_audience(counter))
        for place in range(len(RELEASES)):  # an envelope is good for its own manifest alone
            counter = (place + 1) % len(RELEASES) + 1
            trial.refuse(agent, "mixed", place, counter, _audience(counter))
        trial.expect("a rollback to a release that is there", _goes_back_and_forth(agent))
        for data in BROKEN.files:
            agent.stage(data)
        refusal = _refusal(agent, BROKEN.manifest, signing.signed(BROKEN, 50))
        status = agent.request("status")
        trial.expect(f"a failed release raised the floor: {refusal}", status["counter"] == len(RELEASES))
    trial.replays("as it is")
    shutil.rmtree(root / "agents")
    trial.replays("agent removed")
    (root / "state.json").unlink()
    trial.replays("state.json lost")
    (root / "state.json").unlink()
    (root / "floor.json").unlink()
    trial.replays("state.json and floor.json lost")
    for clock in ("0.0", str(2.0**31), f"-{10 * _YEAR_S}", f"+{10 * _YEAR_S}"):
        trial.replays(f"clock at {clock}", [sys.executable, "-c", _AT, clock])
    _fast_forward(trial)
    return Outcome(cases=trial.cases, failures=tuple(trial.failures))


def _audience(counter: int) -> Audience:
    """For whom a release was signed: in turn, the newest for the group."""
    return AUDIENCES[counter % 2]


def _goes_back_and_forth(agent: AgentProcess) -> bool:
    back = agent.request("rollback", to=RELEASES[3].digest)["active"]
    return bool(back == RELEASES[3].digest and agent.request("rollback", to=None)["active"] == NEWEST.digest)


def _refusal(agent: AgentProcess, manifest: str, envelope: str) -> str:
    try:
        agent.request("activate", manifest=manifest, expect=None, envelope=envelope)
    except RefusedError as refusal:
        return refusal.code
    return "none"


def _is_taken(agent: AgentProcess, release: Release, counter: int) -> bool:
    for data in release.files:
        agent.stage(data)
    return _refusal(agent, release.manifest, signing.signed(release, counter)) == "none"


def _fast_forward(trial: _Trial) -> None:
    """The highest counter, and the way back from it."""
    last, after = fake_release(200.0, golden=None), fake_release(201.0, golden=None)
    with AgentProcess(trial.root) as agent:
        agent.boot()
        trial.expect("the highest counter", _is_taken(agent, last, MAX_COUNTER))
        for counter in (0, 1, len(RELEASES) + 1, 2**31, 2**32, 2**53, MAX_COUNTER - 1):
            found = _refusal(agent, after.manifest, signing.signed(after, counter))
            trial.expect(f"after the highest counter, {counter}: {found}", found == "E_VERIFY")
        for counter in (MAX_COUNTER + 1, 2**64, 10**30):
            found = _refusal(agent, after.manifest, signing.signed(after, counter))
            trial.expect(f"counter {counter}: {found}", found == "E_VERIFY")
        reset = signing.policy(2, floor=30)
        for what, wanted, signers in (
            ("signed by a stranger", signing.policy(2, key=signing.OTHER_KEY, floor=30), (signing.OTHER_KEY,)),
            ("with the old serial", signing.policy(1, floor=30), (signing.KEY,)),
            ("for another device", signing.policy(2, device="other", floor=30), (signing.KEY,)),
        ):
            trial.expect(f"a reset {what}", not _is_trusted(agent, wanted, signers))
        trial.expect("the signed reset", _is_trusted(agent, reset, (signing.KEY,)))
        trial.expect("the floor after it", agent.request("status")["counter"] == 30)
        trial.expect("a release after the reset", _is_taken(agent, after, 40))
        trial.expect("the same reset again is harmless", _is_trusted(agent, reset, (signing.KEY,)))
        status = agent.request("status")
        trial.expect(f"the floor is {status['counter']}, not 40", status["counter"] == 40)
        signing.trust(agent, signing.policy(3))
        trial.expect("an older reset", not _is_trusted(agent, reset, (signing.KEY,)))


def _is_trusted(agent: AgentProcess, wanted: TrustPolicy, signers: Sequence[SigningKey]) -> bool:
    try:
        signing.trust(agent, wanted, *signers)
    except RefusedError:
        return False
    return True


PROMISE = Promise(
    id="P7",
    title="An older release does not come back by being sent again",
    sample=370,
    full=370,
    run=_run,
)
