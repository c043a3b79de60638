"""Nets that a search finds against nets made by hand: as accurate on the test set, at no more instructions on a board.

For each data set `edgekit search` gets the ready space, the board, its memory and the instructions of the hand-made
net. It trains on one part of the data and judges by another; the net that it takes is held against the hand-made one
on a third part, which nothing was chosen by. All answers are those of the images on the emulated board.

How much of a difference is due to the training shows the last row: the hand-made net itself, searched for the way to
train it that the ready space offers.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks._compression_bench import lasting_cache
from benchmarks._figures import Figure, at_most
from benchmarks._search_nets_run import Net, Search, Task, compiled, prepare, searched
from edgekit.core.mcnemar import mcnemar
from edgekit.core.statistics import wilson

RUNS = 1
"""Seeds."""

TAKES = ("minutes",)
MINUTES = 25.0
"""Of one search; two data sets and their ends stay within an hour."""

_MOST_MINUTES = 60.0
_ANEW_TRIALS = 6

TASKS = (
    Task(
        name="fsdd",
        title="spoken digits, DS-CNN of 3,450 parameters",
        needs="data/fsdd_train.npz",
        space="edgekit.spaces.audio:space",
        anew="benchmarks._search_nets_models:fsdd_trained_anew",
        epochs=40,
    ),
    Task(
        name="quickdraw",
        title="drawings, two convolutions of 2,818 parameters",
        needs="data/quickdraw_cat_rainbow.npz",
        space="edgekit.spaces.image:space",
        anew="benchmarks._search_nets_models:quickdraw_trained_anew",
        epochs=40,
    ),
)


@dataclass(frozen=True, kw_only=True)
class Compared:
    """Raw figures of one data set.

    Attributes:
        name, title: of it and its hand-made net.
        by_hand: that net.
        searches: one a seed.
        anew: the hand-made net, trained as the best of a few trials was.
    """

    name: str
    title: str
    by_hand: Net
    searches: tuple[Search, ...]
    anew: Search


def measure(seeds: int, *, minutes: float = MINUTES) -> tuple[Compared, ...]:
    """Compile the hand-made nets, then search for better ones.

    Args:
        seeds: searches of each data set.
        minutes: of each.
    """
    for task in TASKS:
        prepare(task)
    with lasting_cache() as folder:
        return tuple([_compared(task, folder, seeds, minutes) for task in TASKS])


def _compared(task: Task, folder: Path, seeds: int, minutes: float) -> Compared:
    workers = ("--workers", os.cpu_count() or 1)
    by_hand = compiled(task, folder)
    most = by_hand.instructions
    searches = tuple(
        searched(task, folder, task.space, most, seed, "--budget-minutes", minutes, *workers) for seed in range(seeds)
    )
    loose = 2 * most  # the same net needs a few instructions more or less with other weights
    anew = searched(task, folder, task.anew, loose, 0, "--trials", _ANEW_TRIALS, *workers)
    return Compared(name=task.name, title=task.title, by_hand=by_hand, searches=searches, anew=anew)


def figures(found: Sequence[Compared]) -> tuple[Figure, ...]:
    """The rows."""
    rows = [row for one in found for row in _rows(one)]
    longest = [sum(one.searches[place].seconds for one in found) for place in range(len(found[0].searches))]
    rows.append(at_most("both searches of one seed, longest", max(longest) / 60, _MOST_MINUTES, "min"))
    return tuple(rows)


def _rows(found: Compared) -> list[Figure]:
    by_hand = found.by_hand
    rows = [Figure(what=f"{found.title}, by hand", value=_spoken(by_hand))]
    for search in found.searches:
        net = search.net
        won, lost = _discordant(net, by_hand)
        is_better = sum(net.right) > sum(by_hand.right) and net.instructions <= by_hand.instructions
        rows.append(
            Figure(
                what=f"{found.name}: found by a search, seed {search.seed}",
                value=_spoken(net),
                goal="more right answers at no more instructions than by hand",
                met=is_better,
                note=f"{won} answers won, {lost} lost (McNemar p = {mcnemar(lost, won):.2g}); {search.validation:.2%} "
                f"of the samples that it was chosen by; {_trials(search)} in {search.seconds / 60:.0f} minutes; "
                + ", ".join(f"{name} {_short(value)}" for name, value in sorted(search.point.items())),
            )
        )
        rows += [
            Figure(
                what=f"{found.name}: rank correlation of {name} with the accuracy, seed {search.seed}",
                value=f"{told['correlation']:+.2f} of {told['n']:.0f} nets",
            )
            for name, told in sorted(search.proxies.items())
        ]
    won, lost = _discordant(found.anew.net, by_hand)
    rows.append(
        Figure(
            what=f"{found.name}: the net by hand, trained in the search's way (best of {_ANEW_TRIALS})",
            value=_spoken(found.anew.net),
            note=f"{won} answers won, {lost} lost (McNemar p = {mcnemar(lost, won):.2g}); without the samples of the "
            "choice, on which the net by hand was trained too",
        )
    )
    return rows


def _spoken(net: Net) -> str:
    right, n = sum(net.right), len(net.right)
    interval = wilson(right, n)
    return (
        f"{right / n:.2%} of {n} ({interval.low:.1%} to {interval.high:.1%}), {net.instructions:,} instructions, "
        f"{net.ram_bytes:,} bytes of RAM, {net.flash_bytes:,} of flash"
    )


def _discordant(net: Net, other: Net) -> tuple[int, int]:
    """Samples that only the first has right, and those that only the second has."""
    pairs = list(zip(net.right, other.right, strict=True))
    return pairs.count((True, False)), pairs.count((False, True))


def _trials(search: Search) -> str:
    ends = [f"{count} {state}" for state, count in sorted(search.counts.items()) if state != "total"]
    return f"{search.counts['total']} trials ({', '.join(ends)})"


def _short(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
