"""What is done to a model: steps in order, and the record of each step once it ran."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Step:
    """One pass with its parameters, as people write it."""

    pass_name: str
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A named list of steps.

    Attributes:
        name: what `--recipe` takes.
        summary: one sentence on what it does.
        when: one sentence on when to use it.
        steps: the passes, in order.
    """

    name: str
    summary: str
    when: str
    steps: tuple[Step, ...]


@dataclass(frozen=True, kw_only=True)
class StepRecord:
    """What one step did.

    Attributes:
        pass_name, params: the step, every default filled in.
        versions: versions of the tools that did the work.
        seconds: wall-clock time; for a cache hit the time of the look-up.
        cache_hit: the result was there already.
        size_bytes, zip_bytes: of the artifact after the step.
        digest: of the artifact after the step.
    """

    pass_name: str
    params: Mapping[str, Any]
    versions: Mapping[str, str]
    seconds: float
    cache_hit: bool
    size_bytes: int
    zip_bytes: int
    digest: str
