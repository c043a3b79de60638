"""P29: flaky devices are fenced, not hidden.

Devices that follow a script, rollout after rollout, with a clock of their own: connections that break at every distance
in time, health checks that fail in every order, devices that get slower until they miss the deadline, releases that
are refused. Held against a rule that is written here once more: three errors of the infrastructure within 24 hours, or
two health checks in a row that found the device not well, and it is quarantined: nothing connects to it, the others
move up, the report says so, until a person releases it. Errors of the infrastructure are tried again at most twice,
what a release does wrong never, and every attempt is in the report.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from edgekit.bundle.pack import Bundle
from edgekit.core.device_entry import DeviceEntry
from edgekit.core.errors import (
    DeadlineError,
    DeviceError,
    EdgekitError,
    InputError,
    NetworkError,
    ProtocolError,
    RolledBackError,
    UnsupportedError,
    VerificationError,
)
from edgekit.flows.deploy import Proof
from edgekit.flows.fleet.executor import Threads
from edgekit.flows.fleet.fleet import FleetRequest, deploy_fleet, exit_code
from edgekit.flows.fleet.order import Order, Release
from edgekit.flows.fleet.rollout import Rules
from edgekit.flows.fleet.waves import USUAL, Amount
from edgekit.selftest.lab.fake_devices import WELL, Act, FakeDevices
from edgekit.selftest.lab.fleet import TARGET, lab_bundle, lab_target
from edgekit.selftest.promise import Lab, Outcome, Promise

HOUR_S = 3600.0
_DAY_S = 24 * HOUR_S
_START_S = 1_800_000_000.0
_NAME = "pi-0"
_GAPS_H = (0.0, 8.0, 11.9, 12.1, 13.0, 25.0)
_LIMIT_S = 15.0

BROKEN = NetworkError("the connection broke")
INFRASTRUCTURE = (
    BROKEN,
    DeadlineError("it was silent"),
    ProtocolError("it said nonsense"),
    DeviceError("the agent ended with status 9", exit_status=9),
)
OF_THE_RELEASE = (
    VerificationError("other outputs than the golden ones"),
    RolledBackError("failed after the switch"),
    DeviceError("the model crashed", exit="signal"),
    UnsupportedError("the model does not load"),
)


def run(lab: Lab) -> Outcome:
    """All scripts; the full scale adds random ones."""
    bundle = lab_bundle(lab.folder / "new.edgekit", 3.0, padding_bytes=0)
    folders = (lab.folder / f"case-{number}" for number in itertools.count())

    def farm(*names: str) -> Farm:
        return Farm(folder=next(folders), bundle=bundle, names=names or (_NAME,))

    found: list[str | None] = []
    scripts = [[(gap_h * HOUR_S, [Act(activate=BROKEN)])] * count for count in range(1, 5) for gap_h in _GAPS_H]
    for length in (1, 2, 3):
        checks = itertools.product((WELL, Act(free_bytes=0)), repeat=length)
        scripts += [[(HOUR_S, [act]) for act in acts] for acts in checks]
    found += [rollouts(farm(), script) for script in scripts]
    found.append(rollouts(farm(), list(drifting())))
    for error in INFRASTRUCTURE:
        found += [tried_again(farm(), Act(activate=error)), tried_again(farm(), Act(connect=error))]
    found += [recovers(farm(), count) for count in (1, 2)]
    found += [never_again(farm(), error) for error in OF_THE_RELEASE]
    found.append(others_move_up(farm("pi-0", "pi-1", "pi-2", "pi-3", "pi-4")))
    found.append(released(farm()))
    chance = random.Random(lab.seed)  # noqa: S311 -- an experiment, not a secret
    found += [rollouts(farm(), list(any_script(chance))) for _ in range(lab.many(0, 400))]
    return Outcome(cases=len(found), failures=tuple(line for line in found if line is not None))


@dataclass(kw_only=True)
class Farm:
    """Devices that follow a script, and the time of day there."""

    folder: Path
    bundle: Bundle
    names: Sequence[str]
    site: FakeDevices = field(default_factory=FakeDevices)
    now_s: float = _START_S
    pauses: list[float] = field(default_factory=list)

    def deploy(self) -> dict[str, Any]:
        """One rollout to all of them."""
        return deploy_fleet(self.request(), Threads(parallel=1))

    def request(self) -> FleetRequest:
        """What `deploy` deploys."""
        release = Release(bundle=self.bundle, target=replace(lab_target(), arch="aarch64"))
        entries = [DeviceEntry(name=name, url=f"local://{self.folder / name}", target=TARGET) for name in self.names]
        return FleetRequest(
            entries=entries,
            order=Order(releases={TARGET: release}, proof=Proof(plan=None), connect=self.site.connect),
            rules=Rules(waves=USUAL, max_failures=Amount(value=0.05, is_share=True)),
            pause=self.pauses.append,
            now_s=lambda: self.now_s,
            state=self.folder / "state",
        )


def rollouts(farm: Farm, script: Sequence[tuple[float, Sequence[Act]]]) -> str | None:
    """Roll out again and again; what is not as the rule says.

    Args:
        farm: with one device.
        script: for each rollout the seconds since the one before, and what goes wrong on its connections.
    """
    errors: list[float] = []
    unwell_before = is_fenced = False
    for number, (after_s, acts) in enumerate(script):
        farm.now_s += after_s
        farm.site.plans[_NAME].clear()
        farm.site.plan(_NAME, acts)
        before = farm.site.connections[_NAME]
        document = farm.deploy()
        (device,) = document["devices"]
        made = farm.site.connections[_NAME] - before
        if is_fenced:
            wanted, is_right = "quarantined", made == 0
        else:
            broke = [act for act in acts if act.activate is not None]
            errors += [farm.now_s] * len(broke)
            unwell = any(act.free_bytes == 0 for act in acts)
            recent = [at for at in errors if farm.now_s - at < _DAY_S]
            is_fenced = len(recent) >= 3 or (unwell and unwell_before)
            unwell_before = unwell
            wanted = "old" if unwell else "new"
            wanted = "quarantined" if unwell and is_fenced else wanted
            is_right = made == len(device["attempts"])
        if device["state"] != wanted or not is_right or exit_code(document) != (0 if wanted == "new" else 13):
            return f"rollout {number}: {device['state']} after {made} connections, the rule says {wanted}"
    return None


def drifting() -> Iterator[tuple[float, list[Act]]]:
    """A device that takes half again as long each hour, and then misses the deadline."""
    takes_s = 2.0
    for _ in range(8):
        late = takes_s > _LIMIT_S
        yield HOUR_S, [Act(activate=DeadlineError(f"it took {takes_s:.0f} s"))] if late else []
        takes_s *= 1.5


def any_script(chance: random.Random) -> Iterator[tuple[float, list[Act]]]:
    """Some rollouts, some of them with trouble."""
    for _ in range(chance.randint(2, 8)):
        trouble = chance.choice(([], [], [Act(activate=BROKEN)], [Act(activate=BROKEN)] * 2, [Act(free_bytes=0)]))
        yield chance.choice((0.5, 6.0, 11.5, 12.5, 25.0)) * HOUR_S, trouble


def tried_again(farm: Farm, act: Act) -> str | None:
    """An error of the infrastructure that stays: tried three times, with longer pauses, all of them in the report."""
    farm.site.plan(_NAME, [act] * 3)
    (device,) = farm.deploy()["devices"]
    state = "unreachable" if act.connect else "quarantined"  # a device that is off is not flaky
    error = act.connect or act.activate
    assert error is not None
    told = [attempt["message"] for attempt in device["attempts"]]
    is_right = device["state"] == state and told == [error.message] * 3
    is_right &= len(farm.pauses) == 2 and 0 < farm.pauses[0] < farm.pauses[1]
    is_right &= farm.site.connections[_NAME] == (3 if act.connect else 4)  # one looks at what runs
    return None if is_right else f"{error}: {device['state']} after {told}, pauses {farm.pauses}"


def recovers(farm: Farm, count: int) -> str | None:
    """Errors that go away: the device is new, and they are in the report."""
    farm.site.plan(_NAME, [Act(activate=BROKEN)] * count)
    document = farm.deploy()
    (device,) = document["devices"]
    is_right = (device["state"], len(device["attempts"]), exit_code(document)) == ("new", count + 1, 0)
    return None if is_right else f"{count} errors: {device['state']} after {len(device['attempts'])} attempts"


def never_again(farm: Farm, error: EdgekitError) -> str | None:
    """What a release does wrong: one attempt, held against the release."""
    farm.site.plan(_NAME, [Act(activate=error)])
    document = farm.deploy()
    (device,) = document["devices"]
    state = "rolled-back" if isinstance(error, RolledBackError) else "old"
    is_right = (device["state"], len(device["attempts"]), device["counts"]) == (state, 1, True)
    is_right &= (document["outcome"], exit_code(document), farm.pauses) == ("stopped", 13, [])
    return None if is_right else f"{error}: {device['state']} after {len(device['attempts'])} attempts"


def others_move_up(farm: Farm) -> str | None:
    """A quarantined device is left alone, and the others get the release."""
    farm.site.plan(_NAME, [Act(activate=BROKEN)] * 3)
    farm.deploy()
    before = farm.site.connections[_NAME]
    document = farm.deploy()
    states = {device["device"]: device["state"] for device in document["devices"]}
    wanted = {name: "quarantined" if name == _NAME else "new" for name in farm.names}
    is_right = states == wanted and farm.site.connections[_NAME] == before and exit_code(document) == 13
    return None if is_right else f"states {states}, {farm.site.connections[_NAME] - before} connections"


def released(farm: Farm) -> str | None:
    """A person lets it take part again; the errors from before are history."""
    farm.site.plan(_NAME, [Act(activate=BROKEN)] * 3)
    farm.deploy()
    try:
        farm.request().histories.release(_NAME, "a new cable", farm.now_s)
    except InputError as error:
        return error.message
    (device,) = farm.deploy()["devices"]
    is_kept = any(event.message == "a new cable" for event in farm.request().histories.events(_NAME))
    return None if device["state"] == "new" and is_kept else f"{device['state']} after its release: {device['reason']}"


PROMISE = Promise(
    id="P29",
    title="Flaky devices are fenced and every retry is in the report; what a release does wrong is not tried again",
    sample=40,
    full=400,
    run=run,
)
