"""The rollout: wave after wave, until a wave speaks against the release. It knows no device and no clock."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate

from edgekit.core.device_entry import DeviceEntry
from edgekit.flows.fleet.executor import Executor, Work
from edgekit.flows.fleet.member import Member, State
from edgekit.flows.fleet.waves import Amount, divided

OnMember = Callable[[Member], Member]
"""Hears of each device that is concluded; what it returns is taken in its place."""

OnWave = Callable[[int, int, Sequence[DeviceEntry]], None]
"""Hears that a wave begins: its number, of how many, its devices."""


@dataclass(frozen=True, kw_only=True)
class Rules:
    """How a rollout proceeds.

    Attributes:
        waves: rising amounts, the last one is everything.
        max_failures: failures that count against the release before it stops; a share is of the devices up to the end
            of the wave, so that a large fleet loses no more in its second wave than a small one. In the first of
            several waves, the canary, none is allowed.
    """

    waves: tuple[Amount, ...]
    max_failures: Amount


@dataclass(frozen=True, kw_only=True)
class Wave:
    """A wave that was begun.

    Attributes:
        number: from 1.
        devices: names, in the order in which they were concluded.
        failures: of its devices, those that count against the release.
        stopped: why the rollout went no further; empty if it did.
    """

    number: int
    devices: tuple[str, ...]
    failures: int
    stopped: str = ""


@dataclass(frozen=True, kw_only=True)
class Rolled:
    """What became of a fleet.

    Attributes:
        members: every device, in the order of the names.
        waves: those that were begun.
        stopped: why devices were skipped; empty if none was.
    """

    members: tuple[Member, ...]
    waves: tuple[Wave, ...]
    stopped: str


def allowed_failures(rules: Rules, waves: Sequence[Sequence[object]]) -> list[int]:
    """How many failures there may be by the end of each wave."""
    reached = accumulate(len(wave) for wave in waves)
    allowed = [rules.max_failures.at_most_of(count) for count in reached]
    return [0, *allowed[1:]] if len(waves) > 1 else allowed


def roll_out(
    entries: Sequence[DeviceEntry],
    work: Work,
    executor: Executor,
    rules: Rules,
    *,
    settled: Sequence[Member] = (),
    on_wave: OnWave = lambda _number, _of, _entries: None,
    on_member: OnMember = lambda member: member,
) -> Rolled:
    """Deploy to a fleet.

    A device that cannot be reached or cannot take any release says nothing about this one. So it stops nothing, and a
    wave in which no device of a kind has said anything is filled up from the later ones.

    Args:
        entries: the fleet, in the order in which its devices have their turn.
        work: deploys to one device.
        executor: runs it on several.
        rules: waves, and when to stop.
        settled: devices that have their state already, by an earlier rollout or because they are fenced off: they keep
            their place in the waves and are not touched.
        on_wave, on_member: listeners.
    """
    rollout = _Rollout(
        work=work,
        executor=executor,
        rules=rules,
        settled={member.device: member for member in settled},
        on_wave=on_wave,
        on_member=on_member,
    )
    fenced = {name for name, member in rollout.settled.items() if member.state is not State.NEW}
    waves = divided([entry for entry in entries if entry.name not in fenced], rules.waves)
    for place in range(len(waves)):
        rollout.wave(place, waves)
        if rollout.stopped:
            break
    return rollout.end(entries)


@dataclass(kw_only=True)
class _Rollout:
    work: Work
    executor: Executor
    rules: Rules
    settled: Mapping[str, Member]
    on_wave: OnWave
    on_member: OnMember
    concluded: list[Member] = field(default_factory=list)
    failures: int = 0
    begun: list[Wave] = field(default_factory=list)
    stopped: str = ""

    def wave(self, place: int, waves: list[list[DeviceEntry]]) -> None:
        """One wave, and what takes the place of devices that say nothing; `stopped` tells whether it was the last."""
        is_canary = place == 0 and len(waves) > 1
        allowed = allowed_failures(self.rules, waves)[place]
        planned = Counter(entry.target for entry in waves[place])
        own = [self.settled[entry.name] for entry in waves[place] if entry.name in self.settled]
        batch = [entry for entry in waves[place] if entry.name not in self.settled]
        tried: list[Member] = []
        while batch and self.failures <= allowed:
            self.on_wave(place + 1, len(waves), batch)
            for member in self.executor.run(self.work, batch, lambda: self.failures > allowed):
                tried.append(self.on_member(replace(member, wave=place + 1)))
                self.concluded.append(tried[-1])
                self.failures += tried[-1].counts
            speaking = {member.target for member in (*own, *tried) if member.is_conclusive}
            batch = _replacements(planned, speaking, waves[place + 1 :], self.settled)
        failed = [member for member in tried if member.counts]
        if self.failures > allowed:
            self.stopped = self._why(failed[-1], allowed, is_canary=is_canary)
        if tried:
            names = tuple(member.device for member in tried)
            self.begun.append(Wave(number=place + 1, devices=names, failures=len(failed), stopped=self.stopped))

    def end(self, entries: Sequence[DeviceEntry]) -> Rolled:
        """Name the devices that were not begun."""
        named = {member.device for member in self.concluded} | self.settled.keys()
        reason = f"not begun: {self.stopped}"
        skipped = [
            self.on_member(Member(device=entry.name, target=entry.target, state=State.SKIPPED, reason=reason))
            for entry in entries
            if entry.name not in named
        ]
        members = [*self.settled.values(), *self.concluded, *skipped]
        return Rolled(
            members=tuple(sorted(members, key=lambda member: member.device)),
            waves=tuple(self.begun),
            stopped=self.stopped,
        )

    def _why(self, failed: Member, allowed: int, *, is_canary: bool) -> str:
        first = f"{failed.device}: {failed.reason}"
        if is_canary:
            return f"the canary failed on {first}"
        return f"more than {allowed} failures by this wave ({self.rules.max_failures} may fail), last on {first}"


def _replacements(
    planned: Mapping[str | None, int],
    speaking: Collection[str | None],
    later: Sequence[list[DeviceEntry]],
    settled: Collection[str],
) -> list[DeviceEntry]:
    """Devices of the kinds that have said nothing yet in a wave, as many as were planned, out of the waves after it."""
    wanted = Counter({target: count for target, count in planned.items() if target not in speaking})
    taken = []
    for wave in later:
        for entry in list(wave):
            if wanted[entry.target] > 0 and entry.name not in settled:
                wanted[entry.target] -= 1
                wave.remove(entry)
                taken.append(entry)
    return taken
