"""Which channels go: from scores to positions, by one ratio, by thresholds or for a share of all work."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Scores = Mapping[str, NDArray[np.float64]]
"""Per group of channels that go together, how much each matters, shape [channels]."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What stays of each group.

    Attributes:
        first: channels of each group before anything was removed; shares are of those.
        ratios: groups with a share of their own.
        min_channels: at least so many stay.
        round_to: so many or a multiple of them stay.
    """

    first: Mapping[str, int]
    ratios: Mapping[str, float]
    min_channels: int
    round_to: int


def by_group(scores: Scores, share: float, limits: Limits) -> dict[str, list[int]]:
    """The same share of each group, rounded down, those with the lowest scores first.

    Returns:
        Positions to remove, in order, per group.
    """
    return _positions(scores, {name: _wanted(name, scores, share, limits) for name in scores}, limits)


def by_rank(scores: Scores, share: float, limits: Limits) -> dict[str, list[int]]:
    """That share of all channels, wherever the lowest scores are; groups with a ratio of their own stand aside."""
    counts = {name: _wanted(name, scores, share, limits) for name in limits.ratios if name in scores}
    pool = [(name, value) for name, values in scores.items() if name not in limits.ratios for value in values]
    total = sum(limits.first[name] for name in scores if name not in limits.ratios)
    number = int(total * share) - (total - len(pool))
    ranked = np.argsort(np.array([value for _, value in pool]), kind="stable")
    for place in ranked[: max(0, number)]:
        counts[pool[place][0]] = counts.get(pool[place][0], 0) + 1
    return _positions(scores, counts, limits)


def below(scores: Scores, threshold: float, *, everywhere: bool, limits: Limits) -> dict[str, list[int]]:
    """Channels that score less than a share of the highest score.

    Args:
        scores: per group.
        threshold: the share.
        everywhere: of the highest score of all groups, not of each group's own.
        limits: what stays.
    """
    highest = max((float(values.max()) for values in scores.values()), default=0.0)
    counts = {
        name: _wanted(name, scores, 0.0, limits)
        if name in limits.ratios
        else int((values < threshold * (highest if everywhere else values.max())).sum())
        for name, values in scores.items()
    }
    return _positions(scores, counts, limits)


def _wanted(name: str, scores: Scores, share: float, limits: Limits) -> int:
    first = limits.first[name]
    return int(first * limits.ratios.get(name, share)) - (first - len(scores[name]))


def _positions(scores: Scores, counts: Mapping[str, int], limits: Limits) -> dict[str, list[int]]:
    chosen = {}
    for name, values in scores.items():
        here = len(values)
        stays = max(here - max(0, counts.get(name, 0)), min(limits.min_channels, here))
        stays = min(here, -(-stays // limits.round_to) * limits.round_to)
        if stays < here:
            chosen[name] = sorted(np.argsort(values, kind="stable")[: here - stays].tolist())
    return chosen
