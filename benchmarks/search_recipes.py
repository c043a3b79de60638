"""How much of the true front a search finds, and for how many questions to the device: every point is measured once.

The space is listed and measured whole (`edgekit search --strategy grid`). Then each strategy searches it anew, seed by
seed: what a point gives is looked up, the rest (the engine, the limits, the predictor that spares the device) is what
`edgekit search` runs. The last row of strategies is random search as it is known: what is drawn, the device is asked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from statistics import median

from benchmarks._compression_bench import files
from benchmarks._figures import Figure
from benchmarks._folders import ROOT
from benchmarks._search_plot import Curve, plot
from benchmarks._search_table import Space, Table, measured, searched

RUNS = 10
"""Seeds."""

_SHARES = (0.05, 0.1, 0.25, 0.5)
_SEARCH, _NAIVE = "tpe", "random, none spared"
_STRATEGIES: Mapping[str, tuple[str, bool]] = {
    _SEARCH: ("tpe", True),
    "nsga2": ("nsga2", True),
    "random": ("random", True),
    _NAIVE: ("random", False),
}
"""Rows: the engine's strategy, and whether the predictor spares the device."""

_LEAST_SHARE, _AT = 0.95, 0.25
_BOARD = Space(
    target="cortex_m4",
    emulated=False,
    text="""
schema = 1

[parameters]
"prune.sparsity" = ["off", 0.5, 0.8, 0.9]
"cluster.clusters" = ["off", 16]
quantize = ["int8"]
"int8.calibration" = ["min_max", "moving_average", "percentile", "mse", "kl"]
"cortex_m.optimize" = ["speed", "ram", "flash"]

[parameters."layer.lenet5_1/conv1_1/Relu"]
values = ["int8", "int16"]
when = { "prune.sparsity" = ["off"], "cluster.clusters" = ["off"] }

[parameters."layer.lenet5_1/conv2_1/Relu"]
values = ["int8", "int16"]
when = { "prune.sparsity" = ["off"], "cluster.clusters" = ["off"] }
""",
)
"""165 points."""

_LINUX = Space(
    target="rpi4",
    emulated=True,
    text="""
schema = 1
goals = ["accuracy", "instructions", "zip_bytes"]

[parameters]
"slim.ratio" = ["off", 0.5]
"prune.sparsity" = ["off", 0.5, 0.8]
"cluster.clusters" = ["off", 16]
quantize = ["int8", "dynamic", "float16"]

[parameters."int8.calibration"]
values = ["min_max", "percentile", "mse", "kl"]
when = { quantize = ["int8"] }
""",
)
"""72 points."""


@dataclass(frozen=True, kw_only=True)
class Searched:
    """Raw figures of one space.

    Attributes:
        target: whose space it is.
        points: of it.
        complete: of them, those within all limits.
        front: points that none beats.
        shares: share of the true hypervolume after each question to the device, up to half of them, by row, then seed.
    """

    target: str
    points: int
    complete: int
    front: int
    shares: dict[str, list[list[float]]]

    def at(self, row: str, budget: float) -> list[float]:
        """The share of each seed after so many questions, 0 to 1 of those that measuring the whole space takes."""
        questions = max(1, int(budget * self.complete))
        return [seed[min(questions, len(seed)) - 1] for seed in self.shares[row]]


def measure(seeds: int) -> tuple[Searched, ...]:
    """Measure every point once, then search so often with each strategy; a board, then an emulated device."""
    given = files("lenet5", "data/mnist.npz")
    found = []
    for space in (_BOARD, _LINUX):
        with measured(space, given) as table:
            found.append(_searched(space.target, table, seeds))
        _draw(found[-1])
    return tuple(found)


def _searched(target: str, table: Table, seeds: int) -> Searched:
    questions = int(max(_SHARES) * len(table.complete))
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        begun = {
            row: [
                pool.submit(searched, table, strategy, seed, spares=spares, questions=questions)
                for seed in range(seeds)
            ]
            for row, (strategy, spares) in _STRATEGIES.items()
        }
        shares = {row: [one.result() for one in searches] for row, searches in begun.items()}
    return Searched(
        target=target, points=len(table.outcomes), complete=len(table.complete), front=table.front, shares=shares
    )


def _draw(found: Searched) -> None:
    """A picture for the document."""
    curves = []
    for row, seeds in found.shares.items():
        longest = max(map(len, seeds))
        columns = [[seed[min(number, len(seed) - 1)] for seed in seeds] for number in range(longest)]
        curves.append(
            Curve(
                label=row,
                low=tuple(min(column) for column in columns),
                middle=tuple(median(column) for column in columns),
                high=tuple(max(column) for column in columns),
            )
        )
    drawn = plot(
        curves,
        title=f"LeNet-5 for {found.target}: share of the true hypervolume after so many questions to the device",
        note=f"median and range of {len(next(iter(found.shares.values())))} seeds; {found.complete} points in all",
        marks=((_AT * found.complete, _LEAST_SHARE),),
    )
    (ROOT / "docs" / "images" / f"search-recipes-{found.target}.svg").write_text(drawn, encoding="utf-8")


def figures(found: Sequence[Searched]) -> tuple[Figure, ...]:
    """The rows."""
    return tuple(row for one in found for row in _rows(one))


def _rows(found: Searched) -> list[Figure]:
    rows = [
        Figure(
            what=f"recipes of LeNet-5 for {found.target}, measured one by one",
            value=f"{found.points} points, {found.complete} within the limits, {found.front} in the front",
        )
    ]
    for row in found.shares:
        for budget in _SHARES:
            values = found.at(row, budget)
            is_goal = row == _SEARCH and budget == _AT
            rows.append(
                Figure(
                    what=f"{found.target}: true hypervolume found by {row} with {budget:.0%} of the questions",
                    value=f"{median(values):.1%} ({min(values):.1%} to {max(values):.1%})",
                    goal=f"at least {_LEAST_SHARE:.0%}" if is_goal else None,
                    met=median(values) >= _LEAST_SHARE if is_goal else None,
                    note=f"median and range of {len(values)} seeds",
                )
            )
    longest = max(len(seed) for seeds in found.shares.values() for seed in seeds)
    ahead = {
        budget: median(found.at(_SEARCH, budget)) - median(found.at(_NAIVE, budget))
        for budget in (number / found.complete for number in range(1, longest + 1))
    }
    worst = min(ahead, key=lambda budget: ahead[budget])
    rows.append(
        Figure(
            what=f"{found.target}: {_SEARCH} against {_NAIVE}, least lead over all budgets up to half",
            value=f"{ahead[worst]:+.1%} with {worst:.0%} of the questions",
            goal="never behind",
            met=ahead[worst] >= 0,
        )
    )
    return rows
