"""P16: a fleet deploy has no unknown devices.

A tenth each of the devices is dead, slow (half of them: never says a word), full, another machine than the inventory
says, shows a wrong host key, and has an agent that dies in the middle of the first activation (half of them: of every
one). Good releases, releases with wrong golden outputs, releases that crash, and good ones whose host is killed in the
middle and which another host resumes.

Held after each rollout against the devices' own disks: every device has one named state and, unless it is new, a
reason; the state is true; the exit code is 13; a good release is on every device that can take it; a bad one is on
none, and nothing beyond the canary was touched; every connection is an attempt in the report.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from edgekit.bundle.pack import Bundle
from edgekit.core.events import Event
from edgekit.flows.fleet.fleet import RESUMED, exit_code
from edgekit.flows.fleet.member import State
from edgekit.selftest.lab.fleet import LabFleet, Trouble, lab_bundle
from edgekit.selftest.lab.fleet_rollout import deploy, deploy_and_die
from edgekit.selftest.promise import Lab, Outcome, Promise

KINDS = ("good", "wrong outputs", "cut off", "good", "crash", "cut off")
"""What a rollout is of, in turn."""

_WHERE: Mapping[Trouble, frozenset[State]] = {
    Trouble.NONE: frozenset({State.NEW}),
    Trouble.SLOW: frozenset({State.NEW}),
    Trouble.FLAPPING: frozenset({State.NEW}),
    Trouble.DEAD: frozenset({State.UNREACHABLE}),
    Trouble.STALLED: frozenset({State.UNREACHABLE}),
    Trouble.BAD_KEY: frozenset({State.UNREACHABLE}),
    Trouble.FULL: frozenset({State.OLD, State.QUARANTINED}),  # the latter when two rollouts found it full
    Trouble.WRONG_MACHINE: frozenset({State.OLD}),
    Trouble.BREAKING: frozenset({State.QUARANTINED}),
}
"""Where a good release ends."""

_TENTHS = (Trouble.DEAD, Trouble.SLOW, Trouble.FULL, Trouble.WRONG_MACHINE, Trouble.BAD_KEY, Trouble.FLAPPING)
_WORSE = {Trouble.SLOW: Trouble.STALLED, Trouble.FLAPPING: Trouble.BREAKING}


def run(lab: Lab) -> Outcome:
    """Roll out again and again, each time to a new fleet."""
    size, runs = lab.many(20, 100), lab.many(3, 50)
    failures: list[str] = []
    for number in range(runs):
        kind = KINDS[number % len(KINDS)]
        lab.on_event(Event(phase="fleet", message=f"{kind}, {size} devices", done=number, total=runs))
        found = rollout(lab.folder / f"run-{number}", kind, troubles(size, lab.seed + number), seed=lab.seed + number)
        failures += [f"run {number}, {kind}: {line}" for line in found]
    return Outcome(cases=runs, failures=tuple(failures), facts={"devices": size * runs, "devices_a_run": size})


def troubles(size: int, seed: int) -> list[Trouble]:
    """A tenth of each, in any order."""
    each = size // 10
    chosen = []
    for trouble in _TENTHS:
        chosen += [_WORSE[trouble] if trouble in _WORSE and number % 2 else trouble for number in range(each)]
    chosen += [Trouble.NONE] * (size - len(chosen))
    random.Random(seed).shuffle(chosen)  # noqa: S311 -- an experiment, not a secret
    return chosen


def rollout(folder: Path, kind: str, chosen: list[Trouble], *, seed: int) -> list[str]:
    """One rollout, and what is wrong with it."""
    folder.mkdir()
    with LabFleet.of(folder / "fleet", chosen) as fleet:
        if kind == "wrong outputs":
            bundle = lab_bundle(folder / "new.edgekit", 3.0, golden_scale=4.0)
        else:
            bundle = lab_bundle(folder / "new.edgekit", 3.0, run="crash" if kind == "crash" else "ok")
        state, found = folder / "state", []
        if kind == "cut off":
            after = random.Random(seed).randint(1, len(chosen) // 2)  # noqa: S311 -- an experiment, not a secret
            concluded = deploy_and_die(fleet, bundle, state, after=after)
            found += [f"the host ended after {concluded} devices, not {after}"] * (concluded != after)
            found += [f"after the cut: {line}" for line in _torn(fleet, bundle)]
        document = deploy(fleet, bundle, state, resume=kind == "cut off")
        is_good = kind in ("good", "cut off")
        return [*found, *_wrong(fleet, bundle, document), *(_good if is_good else _bad)(fleet, document)]


def _torn(fleet: LabFleet, bundle: Bundle) -> Iterator[str]:
    for name in fleet.troubles:
        if fleet.active(name) not in (fleet.old.digest, bundle.digest):
            yield f"{name} runs neither the old release nor the new one"


def _wrong(fleet: LabFleet, bundle: Bundle, document: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong whatever was rolled out."""
    named = [device["device"] for device in document["devices"]]
    if sorted(named) != sorted(fleet.troubles):
        yield f"the report names {len(named)} devices of {len(fleet.troubles)}"
    if exit_code(dict(document)) != 13:
        yield f"the exit code is {exit_code(dict(document))}"
    yield from _torn(fleet, bundle)
    for device in document["devices"]:
        name, state, runs_new = (
            device["device"],
            State(device["state"]),
            fleet.active(device["device"]) == bundle.digest,
        )
        if runs_new != (state is State.NEW) and state is not State.UNREACHABLE:
            yield f"{name} is said to be {state}, and runs the {'new' if runs_new else 'old'} release"
        if state is not State.NEW and not device["reason"]:
            yield f"{name} is {state} without a reason"
        tried = len(device["attempts"]) if device["reason"] != RESUMED else 0
        if fleet.starts[name] not in (tried, tried + 1):  # one more looks at what runs after a failure
            yield f"{name} was connected to {fleet.starts[name]} times, the report has {tried} attempts"


def _good(fleet: LabFleet, document: Mapping[str, Any]) -> Iterator[str]:
    for device in document["devices"]:
        trouble = fleet.troubles[device["device"]]
        if State(device["state"]) not in _WHERE[trouble]:
            yield f"{device['device']} ({trouble}) is {device['state']}: {device['reason']}"


def _bad(fleet: LabFleet, document: Mapping[str, Any]) -> Iterator[str]:
    failed = [device["device"] for device in document["devices"] if device["counts"]]
    if len(failed) != 1 or document["outcome"] != "stopped" or "canary" not in str(document["reason"]):
        yield f"failed on {failed}, {document['outcome']}: {document['reason']}"
    for device in document["devices"]:
        if (device["state"] == State.SKIPPED) != (fleet.starts[device["device"]] == 0):
            yield f"{device['device']} is {device['state']} after {fleet.starts[device['device']]} connections"
        if device["wave"] > 1:
            yield f"{device['device']} had its turn in wave {device['wave']}"


PROMISE = Promise(
    id="P16",
    title="A fleet deploy leaves every device in a named state, and a bad release does not pass its canary",
    sample=3,
    full=50,
    run=run,
)
