"""Processes of one artifact split at random into two sides: the false alarms of a rule, and what it finds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks._published_rules import Rule
from edgekit.core.regression import Change, compare_medians

if TYPE_CHECKING:
    from numpy.typing import NDArray

CALLS_A_RUN = 200
"""Of each process, for rules that look at the calls of one run: as many as in the published experiment."""


@dataclass(frozen=True, kw_only=True)
class Share:
    """How often something was said.

    Attributes:
        slower: the second side was called slower.
        same: it was called the same, or faster.
        of: trials; what is left was inconclusive.
    """

    slower: int
    same: int
    of: int

    def __str__(self) -> str:
        open_ = self.of - self.slower - self.same
        return f"{self.slower / self.of:.1%}" + (f" ({open_ / self.of:.0%} inconclusive)" if open_ else "")


def ours(medians: Sequence[float], n: int, ratio: float, *, splits: int, margin: float, seed: int = 0) -> Share:
    """The verdict on random splits.

    Args:
        medians: of all processes, at least 2 n.
        n: processes a side.
        ratio: what the second side is slowed down by.
        splits: how many.
        margin: of the device.
        seed: of the splits.
    """
    values, generator = np.asarray(medians, dtype=np.float64), np.random.default_rng(seed)
    said = []
    for number in range(splits):
        chosen = generator.permutation(len(values))[: 2 * n]
        first, second = values[chosen[:n]], values[chosen[n:]] * ratio
        said.append(compare_medians(first, second, margin=margin, seed=number).change)
    return Share(slower=said.count(Change.SLOWER), same=said.count(Change.SAME) + said.count(Change.FASTER), of=splits)


def single_runs(runs: Sequence[NDArray[Any]], rule: Rule, ratio: float) -> Share:
    """A rule on all ordered pairs of processes, which is how its tool compares: one run against another."""
    said = [rule(first, second * ratio) for first, second in permutations([run[:CALLS_A_RUN] for run in runs], 2)]
    return Share(slower=sum(said), same=len(said) - sum(said), of=len(said))


def pooled_runs(runs: Sequence[NDArray[Any]], rule: Rule, n: int, ratio: float, *, splits: int, seed: int = 0) -> Share:
    """A rule on the pooled calls of n processes a side: the same samples that our verdict has."""
    generator, said = np.random.default_rng(seed), []
    for _ in range(splits):
        chosen = generator.permutation(len(runs))[: 2 * n]
        first, second = (np.concatenate([runs[place] for place in side]) for side in (chosen[:n], chosen[n:]))
        said.append(rule(first, second * ratio))
    return Share(slower=sum(said), same=len(said) - sum(said), of=len(said))


def medians_of(runs: Sequence[NDArray[Any]]) -> list[float]:
    """One a process."""
    return [float(median(run)) for run in runs]
