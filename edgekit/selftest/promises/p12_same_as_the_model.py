"""A device does what a model of eighty lines does, whatever is asked of it in whatever order, and nothing twice.

Injected: a random walk over deploys (of good releases, of bad ones, of one that fails only once it is active, with and
without a trial, again, with a retry), confirmations, rollbacks, pins, clean-ups, leaps of the clock beyond a trial's
deadline, full disks, killed agents, restarts of the machine, and power cuts in the middle of an activation.
What must hold: every answer and, after every step, the whole state is the model's; what is asked for a second time
sends no byte and writes no file; what was cut off is as before it or as after it. Golden runs start no process here.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edgekit.core.events import Event
from edgekit.selftest.lab.agent_process import AgentProcess, RefusedError, Release, fake_release
from edgekit.selftest.lab.altered_agent import MACHINE, QUICK_PROOF, LabMachine, altered
from edgekit.selftest.lab.release_model import RefusalError, ReleaseModel
from edgekit.selftest.promise import Lab, Outcome, Promise

_GOOD = 4
_CONFIRM_S = 1000.0
_WEIGHTS = {
    "deploy": 30,
    "again": 12,
    "confirm": 10,
    "rollback": 12,
    "pin": 8,
    "collect": 8,
    "look": 10,
    "oversleep": 3,
    "full": 4,
    "kill": 0.4,
    "restart": 0.4,
    "cut": 0.4,
}


class Walk:
    """One device, and the model beside it.

    Args:
        folder: for the device; does not exist yet.
        choose: makes the choices.
    """

    def __init__(self, folder: Path, choose: random.Random) -> None:
        folder.mkdir()
        self._choose = choose
        self._program = altered(*MACHINE, *QUICK_PROOF)
        self._machine = LabMachine(folder=folder / "machine")
        self._root = folder / "root"
        good = [_release(float(number), "ok") for number in range(_GOOD)]
        bad, late = _release(9.0, "bad"), _release(8.0, "late")
        self._releases: dict[str, Release] = {one.digest: one for one in (*good, bad, late)}
        self._model = ReleaseModel(bad={bad.digest}, late={late.digest})
        self._agent = self._start()
        self.counts: Counter[str] = Counter()

    def close(self) -> None:
        """End the agent."""
        self._agent.end()

    def step(self) -> str | None:
        """Do something; the trouble with it, None when the device did what the model does."""
        name = self._choose.choices(list(_WEIGHTS), list(_WEIGHTS.values()))[0]
        self.counts[name] += 1
        did, trouble = getattr(self, f"_{name}")()
        if trouble is None:
            trouble = self._difference()
        return None if trouble is None else f"{did}: {trouble}"

    def _deploy(self) -> tuple[str, str | None]:
        release, on_trial, retry = self._any(), self._choose.random() < 0.4, self._choose.random() < 0.3
        did = f"deploy {release.digest[:8]}" + " on trial" * on_trial + " with retry" * retry
        return did, self._compare(
            lambda: self._activate(release, on_trial=on_trial, retry=retry),
            lambda: self._model.deploy(release.digest, on_trial=on_trial, retry=retry),
        )

    def _again(self) -> tuple[str, str | None]:
        """What is active, once more: nothing may travel, nothing may be written."""
        digest = self._model.links[0]
        if digest is None or self._model.trial is not None:
            return "again: nothing is committed", None
        before = self._files()
        answer = self._activate(self._releases[digest])
        if not answer["unchanged"] or answer["sent"]:
            return "deploy again", f"it was answered with {answer}"
        return "deploy again", None if self._files() == before else "files were written"

    def _confirm(self) -> tuple[str, str | None]:
        digest = self._model.trial if self._model.trial and self._choose.random() < 0.6 else self._any().digest
        return f"confirm {digest[:8]}", self._compare(
            lambda: self._agent.request("confirm", digest=digest), lambda: self._model.confirm(digest)
        )

    def _rollback(self) -> tuple[str, str | None]:
        to = self._any().digest if self._choose.random() < 0.5 else None
        return f"rollback to {to and to[:8]}", self._compare(
            lambda: self._agent.request("rollback", to=to), lambda: self._model.rollback(to)
        )

    def _pin(self) -> tuple[str, str | None]:
        digest, pinned = self._any().digest, self._choose.random() < 0.4
        return f"pin {digest[:8]} {pinned}", self._compare(
            lambda: self._agent.request("pin", digest=digest, pinned=pinned),
            lambda: self._model.pin(digest, pinned=pinned),
        )

    def _collect(self) -> tuple[str, str | None]:
        keep = self._choose.randrange(4)
        return f"collect {keep}", self._compare(
            lambda: self._agent.request("collect", keep=keep, data=self._choose.random() < 0.3),
            lambda: self._model.collect(keep),
        )

    def _look(self) -> tuple[str, str | None]:
        return "look", None

    def _oversleep(self) -> tuple[str, str | None]:
        self._machine.sleep(2 * _CONFIRM_S)
        self._model.end_trial()
        return "oversleep", self._touch()

    def _full(self) -> tuple[str, str | None]:
        """On a full disk only that goes well which writes nothing, and all else changes nothing."""
        others = [digest for digest in self._model.history if digest != self._model.active]
        if self._model.trial is not None or not others:
            return "full: nothing to do", None
        self._machine.fill(is_full=True)
        try:
            self._agent.request("rollback", to=others[0])
        except RefusedError as refusal:
            return "rollback on a full disk", None if refusal.code == "E_STORAGE" else str(refusal)
        finally:
            self._machine.fill(is_full=False)
        return "rollback on a full disk", "it was done"

    def _kill(self) -> tuple[str, str | None]:
        """Between two requests: nothing changes."""
        self._agent.kill()
        self._agent.end()
        self._agent = self._start()
        return "kill the agent", None

    def _restart(self) -> tuple[str, str | None]:
        self._agent.kill()
        self._agent.end()
        self._machine.reboot()
        self._model.end_trial()
        self._agent = self._start()
        return "restart the machine", self._touch()

    def _cut(self) -> tuple[str, str | None]:
        """Kill the agent within an activation: as before it, or as after it."""
        release = self._any()
        for data in release.files:
            self._agent.stage(data)
        expected = [self._model.links]
        try:
            copy = _copy(self._model)
            copy.deploy(release.digest, retry=True)
            expected.append(copy.links)
        except RefusalError:
            pass
        self._agent.ask("activate", manifest=release.manifest, expect=None, retry=True)
        for _ in range(self._choose.randrange(5)):
            if b'"event"' not in self._agent.stdout.readline():
                break
        self._agent.kill()
        self._agent.end()
        self._agent = self._start()
        trouble = self._touch()
        status = self._agent.request("status")
        if (status["active"], status["previous"]) not in expected:
            return "cut", f"{status['active']} is neither as before nor as after"
        self._adopt(status)
        return "cut an activation off", trouble

    def _touch(self) -> str | None:
        """Have the agent recover, as every request that changes something does first."""
        return self._compare(
            lambda: self._agent.request("collect", keep=64, data=False), lambda: self._model.collect(64)
        )

    def _adopt(self, status: dict[str, Any]) -> None:
        """Go on from what a cut has left."""
        model, active = self._model, status["active"]
        if status["pending"] is None:
            if active != model.active:
                model.history = [active, *(x for x in model.history if x != active)]
            model.active, model.previous, model.trial = active, status["previous"], None
        model.failed, model.stored = set(status["failed"]), set(status["releases"])

    def _compare(self, ask: Callable[[], object], expect: Callable[[], None]) -> str | None:
        wanted = found = "done"
        try:
            expect()
        except RefusalError as refusal:
            wanted = str(refusal)
        try:
            ask()
        except RefusedError as refusal:
            found = refusal.code
        return None if found == wanted else f"{found}, the model says {wanted}"

    def _difference(self) -> str | None:
        status, model = self._agent.request("status"), self._model
        pairs = {
            "active and previous": ((status["active"], status["previous"]), model.links),
            "pending": (status["pending"], model.trial),
            "failed": (set(status["failed"]), model.failed),
            "pinned": (status["pinned"], model.pinned),
            "releases": (set(status["releases"]), model.stored),
            "warnings": ([one for one in status["warnings"] if "current" in one], []),
            "current": (_leads_to(self._root / "current"), model.links[0]),
        }
        return next((f"{name}: {is_!r}, the model has {be!r}" for name, (is_, be) in pairs.items() if is_ != be), None)

    def _activate(self, release: Release, *, on_trial: bool = False, retry: bool = False) -> dict[str, Any]:
        sent = 0
        for data in release.files:
            self._agent.stage(data)
            sent += self._agent.staged["sent"]
        confirm_s = _CONFIRM_S if on_trial else None
        answer = self._agent.request(
            "activate", manifest=release.manifest, expect=None, confirm_s=confirm_s, retry=retry
        )
        return {**answer, "sent": sent}

    def _any(self) -> Release:
        return self._choose.choice(list(self._releases.values()))

    def _files(self) -> dict[str, tuple[int, int]]:
        """Inode and time of all but the lock's text, and the spare bytes, which come back whenever there is room."""
        facts = {path: path.lstat() for path in self._root.rglob("*") if path.name not in ("lock", "spare")}
        return {str(path): (fact.st_ino, fact.st_mtime_ns) for path, fact in facts.items()}

    def _start(self) -> AgentProcess:
        return AgentProcess(self._root, env=self._machine.env, program=self._program).boot()


def _release(scale: float, behaviour: str) -> Release:
    """A release of one small file."""
    made = fake_release(scale, golden=None, model_fields={"run": behaviour})
    manifest = json.loads(made.manifest)
    manifest["files"] = {"model.json": manifest["files"]["model.json"]}
    return Release(manifest=json.dumps(manifest), files=made.files[:1])


def _copy(model: ReleaseModel) -> ReleaseModel:
    fields = {name: value.copy() if hasattr(value, "copy") else value for name, value in vars(model).items()}
    return ReleaseModel(**fields)


def _leads_to(link: Path) -> str | None:
    return link.readlink().stem if link.exists() else None


def _run(lab: Lab) -> Outcome:
    steps, failures = lab.many(10_000, 200_000), []
    walk = Walk(lab.folder / "device", random.Random(lab.seed))  # noqa: S311  # chooses steps, guards nothing
    done = 0
    try:
        for done in range(1, steps + 1):
            trouble = walk.step()
            if trouble is not None:
                failures.append(f"step {done}, {trouble}")
                break  # the model is of no use any more
            if done % 1000 == 0:
                lab.on_event(Event(phase="selftest", message="P12", done=done, total=steps))
    finally:
        walk.close()
    return Outcome(cases=done, failures=tuple(failures), facts=dict(sorted(walk.counts.items())))


PROMISE = Promise(
    id="P12",
    title="Whatever is asked in whatever order, a device does what a small model does, and nothing twice",
    sample=10_000,
    full=200_000,
    run=_run,
)
