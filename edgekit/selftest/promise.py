"""What a promise is, and what trying to break it has found."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from edgekit.core.events import OnEvent, ignore


class Scale(StrEnum):
    """How hard a promise is tried."""

    SAMPLE = "sample"
    """A fair sample, for each run of the tests."""
    FULL = "full"
    """Everything."""


@dataclass(frozen=True, kw_only=True)
class Lab:
    """Where an experiment works.

    Attributes:
        folder: empty, its own, removed afterwards; on a real file system.
        scale: how many cases.
        seed: of whatever is chosen at random.
        on_event: hears of progress.
    """

    folder: Path
    scale: Scale = Scale.SAMPLE
    seed: int = 0
    on_event: OnEvent = field(default=ignore, repr=False)

    def many(self, sample: int, full: int) -> int:
        """How many cases, by the scale."""
        return full if self.scale is Scale.FULL else sample


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What an experiment found.

    Attributes:
        cases: how many faults, inputs or states were tried; what could not be tried is not counted.
        failures: one line for each case in which the promise was broken: the case and what was found.
        facts: measured figures, by name and with units, e.g. {"resent_bytes_max": 1048576}.
        not_tried: what this computer could not try, with the reason; empty if everything was.
    """

    cases: int
    failures: tuple[str, ...] = ()
    facts: Mapping[str, int | float | str] = field(default_factory=dict)
    not_tried: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Promise:
    """Something that edgekit guarantees.

    Attributes:
        id: e.g. "P1".
        title: one sentence.
        sample, full: the fewest cases that each scale tries.
        run: the experiment.
    """

    id: str
    title: str
    sample: int
    full: int
    run: Callable[[Lab], Outcome]

    def floor(self, scale: Scale) -> int:
        """The fewest cases of a scale."""
        return self.full if scale is Scale.FULL else self.sample
