"""A rollout to 10,000 devices, played: the real waves, gates and executor interface on a clock of its own.

What a deploy costs comes from `scripts/bench fleet` (processor time of the host) and from the agent's limits; links and
faults are assumptions, named here and in docs/fleet.md. The figures are estimates, no measurement.
"""

from __future__ import annotations

import heapq
import random
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from statistics import median

from benchmarks._figures import Figure
from edgekit.core.device_entry import DeviceEntry
from edgekit.flows.fleet.executor import Stopped, Work
from edgekit.flows.fleet.faults import Retries
from edgekit.flows.fleet.member import Attempt, Fault, Member, Phase, State
from edgekit.flows.fleet.rollout import Rolled, Rules, roll_out
from edgekit.flows.fleet.waves import USUAL, Amount

RUNS = 1
DEVICES = 10_000
MODEL_BYTES = 3_000_000
LINK_BYTES_PER_S = 250_000
"""Of a device: 2 Mbit/s up a mobile link."""
UPLINK_BYTES_PER_S = 12_500_000
"""Of a host: 100 Mbit/s."""
HOST_CPU_S = 0.05
"""Of the host's processor for a deploy over SSH; `scripts/bench fleet` measures it."""
HOST_CORES = 4
CONNECT_S, ACTIVATE_S = 1.5, 6.0
"""Log-in and agent over such a link; golden run and health check on a small board."""
TIMED_OUT_S = 10.0
"""A device that is off: the limit of a connection."""

SHARES = {"off": 0.03, "flaky": 0.02, "full": 0.01, "wrong key": 0.002}
"""Of the fleet."""
HOSTS = ((1, 8), (1, 64), (1, 256), (4, 256))
"""Hosts, and devices at once on each."""
BAD_SHARES = (1.0, 0.2, 0.06)
SEEDS = 9
"""Fleets on which each bad release is played."""


@dataclass(frozen=True, kw_only=True)
class Played:
    """One rollout.

    Attributes:
        hosts, parallel: machines that deploy, and devices at once on each.
        bad_share: of the devices on which the release fails.
        seconds: of the rollout.
        touched: devices that were begun.
        states: how many ended where.
        attempts: all of them.
        wave_seconds: when each wave had ended.
    """

    hosts: int
    parallel: int
    bad_share: float
    seconds: float
    touched: int
    states: dict[str, int]
    attempts: int
    wave_seconds: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Simulated:
    """All rollouts."""

    good: tuple[Played, ...]
    bad: tuple[Played, ...]


def measure(runs: int) -> Simulated:
    """Play good releases by several sizes of the host, and releases that fail on some devices."""
    del runs  # the same each time
    good = tuple(play(hosts, parallel, 0.0) for hosts, parallel in HOSTS)
    bad = tuple(play(4, 256, share, seed=seed) for share in BAD_SHARES for seed in range(SEEDS))
    return Simulated(good=good, bad=bad)


def play(hosts: int, parallel: int, bad_share: float, *, devices: int = DEVICES, seed: int = 0) -> Played:
    """One rollout on a clock of its own."""
    clock = _Clock(slots=hosts * parallel, hosts=hosts, seed=seed, bad_share=bad_share)
    entries = [DeviceEntry(name=f"d{number:05}", url="local://", target="rpi4") for number in range(devices)]
    rules = Rules(waves=USUAL, max_failures=Amount(value=0.05, is_share=True))
    ends: list[float] = []
    rolled: Rolled = roll_out(
        entries, clock.fate, clock, rules, on_wave=lambda *_: ends.append(clock.now_s), on_member=lambda one: one
    )
    states = Counter(str(member.state) for member in rolled.members)
    return Played(
        hosts=hosts,
        parallel=parallel,
        bad_share=bad_share,
        seconds=clock.now_s,
        touched=sum(bool(member.attempts) for member in rolled.members),
        states=dict(sorted(states.items())),
        attempts=sum(len(member.attempts) for member in rolled.members),
        wave_seconds=(*ends[1:], clock.now_s),
    )


@dataclass(kw_only=True)
class _Clock:
    """An executor whose devices take the time that their fates say; a host begins no faster than its processor can."""

    slots: int
    hosts: int
    seed: int
    bad_share: float
    now_s: float = 0.0
    _next_start_s: float = field(default=0.0)

    def run(self, work: Work, entries: Iterable[DeviceEntry], stopped: Stopped) -> Iterator[Member]:
        """See edgekit.flows.fleet.executor."""
        waiting = iter(entries)
        running: list[tuple[float, str, Member]] = []
        more = True
        while True:
            while more and len(running) < self.slots and not stopped():
                entry = next(waiting, None)
                more = entry is not None
                if entry is not None:
                    start_s = max(self.now_s, self._next_start_s)
                    self._next_start_s = start_s + HOST_CPU_S / HOST_CORES / self.hosts
                    member = work(entry)
                    heapq.heappush(running, (start_s + member.seconds, member.device, member))
            if not running:
                return
            self.now_s, _, member = heapq.heappop(running)
            yield member

    def fate(self, entry: DeviceEntry) -> Member:
        """What becomes of a device, always the same."""
        chance = random.Random(f"{self.seed}:{entry.name}")  # noqa: S311 -- a simulation, not a secret
        (name,) = chance.choices([*SHARES, ""], weights=[*SHARES.values(), 1 - sum(SHARES.values())])
        name = name or ("bad" if chance.random() < self.bad_share else "well")
        retries = Retries()
        pauses = [retries.first_s * 2**number * chance.uniform(0.5, 1.0) for number in range(retries.most)]
        rate = min(LINK_BYTES_PER_S, UPLINK_BYTES_PER_S * self.hosts / self.slots)
        whole_s = CONNECT_S + MODEL_BYTES / rate + ACTIVATE_S * chance.lognormvariate(0.0, 0.25)
        match name:
            case "off":
                seconds = TIMED_OUT_S * (1 + retries.most) + sum(pauses)
                return _member(entry, State.UNREACHABLE, Fault.INFRASTRUCTURE, 1 + retries.most, seconds)
            case "flaky":  # the connection breaks once, half way
                return _member(entry, State.NEW, None, 2, 0.5 * whole_s + pauses[0] + whole_s)
            case "full":
                return _member(entry, State.OLD, Fault.DEVICE, 1, CONNECT_S)
            case "wrong key":
                return _member(entry, State.UNREACHABLE, Fault.TRUST, 1, CONNECT_S)
            case "bad":
                return _member(entry, State.ROLLED_BACK, Fault.RELEASE, 1, whole_s)
            case _:
                return _member(entry, State.NEW, None, 1, whole_s)


def _member(entry: DeviceEntry, state: State, fault: Fault | None, attempts: int, seconds: float) -> Member:
    tried = tuple(Attempt(number=number + 1, phase=Phase.PROVE, seconds=0.0) for number in range(attempts))
    return Member(
        device=entry.name, target=entry.target, state=state, reason="" if state is State.NEW else "played",
        fault=fault, counts=fault is Fault.RELEASE, attempts=tried, seconds=seconds,
    )  # fmt: skip


def figures(found: Simulated) -> tuple[Figure, ...]:
    """The rows; all of them are estimated."""
    rows = [
        Figure(
            what=f"{DEVICES:,} devices from {one.hosts} host{'s' * (one.hosts > 1)}, {one.parallel} at once on each",
            value=f"{one.seconds / 60:.0f} min, estimated",
            note=f"waves end after {', '.join(f'{second / 60:.1f}' for second in one.wave_seconds)} min; "
            + ", ".join(f"{count:,} {state}" for state, count in one.states.items())
            + f"; {one.attempts:,} attempts",
        )
        for one in found.good
    ]
    for share in BAD_SHARES:
        played = [one for one in found.bad if one.bad_share == share]
        touched = sorted(one.touched for one in played)
        harmed = [one.states.get("rolled-back", 0) for one in played]
        rows.append(
            Figure(
                what=f"{DEVICES:,} devices, a release that fails on {share:.0%} of them: devices begun",
                value=f"{median(touched):,.0f}, estimated",
                note=f"{touched[0]:,} to {touched[-1]:,} in {SEEDS} fleets; it failed on {median(harmed):,.0f} "
                f"({min(harmed):,} to {max(harmed):,}), which went back",
            )
        )
    return tuple(rows)
