"""Lottery tickets of LeNet-300-100 on MNIST: rewound to their first weights, against new random ones, as found."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from contextlib import chdir
from dataclasses import asdict, dataclass
from itertools import product
from math import sqrt
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks._compression_bench import KEPT, SHARED
from benchmarks._figures import Figure
from benchmarks._folders import ROOT, own_folders
from benchmarks._missing import CannotRun
from edgekit.core.digest import sha256_file, sha256_json
from edgekit.core.isolation import Isolate
from edgekit.core.registry import PASSES
from edgekit.passes._base import tool_version

RUNS = 5
_DATA = "data/mnist.npz"
_SEED = 7
_TIMEOUT_S = 3600.0
_T_975 = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)
"""Quantile 0.975 of Student's t with 1 to 9 degrees of freedom."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """How tickets are found.

    Attributes:
        rounds: sparsity -> rounds; each leaves 56 to 58 % of the weights.
        train, test: samples of MNIST, of each kind.
        epochs: of each training.
    """

    rounds: dict[float, int]
    train: int
    test: int
    epochs: int


FULL = Setting(rounds={0.8: 3, 0.9: 4, 0.97: 6}, train=10_000, test=10_000, epochs=6)


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Tickets of one sparsity, one a seed.

    Attributes:
        sparsity: share of zeros.
        rewound, control: right answers, by seed; the same mask in both.
        n: of so many.
    """

    sparsity: float
    rewound: tuple[int, ...]
    control: tuple[int, ...]
    n: int


@dataclass(frozen=True, kw_only=True)
class Lottery:
    """Raw figures."""

    pairs: tuple[Pair, ...]


def measure(runs: int, setting: Setting = FULL) -> Lottery:
    """Find each ticket twice, for the seeds 0, 1 and so on; what was found stays in build/bench.

    Raises:
        CannotRun: there is no MNIST, or more than ten seeds are asked for.
    """
    if not (SHARED / _DATA).is_file():
        raise CannotRun(f"needs {_DATA} in {SHARED.name}/ beside the repository")
    if not 2 <= runs <= len(_T_975) + 1:
        raise CannotRun(f"needs 2 to {len(_T_975) + 1} seeds for an interval, not {runs}")
    with own_folders(), tempfile.TemporaryDirectory() as name, chdir(ROOT), Isolate(user_code=True) as child:
        folder = Path(name)
        _write_data(folder, setting)
        pairs = []
        for sparsity, rounds in setting.rounds.items():
            found: dict[bool, list[int]] = {False: [], True: []}
            for seed, control in product(range(runs), found):
                params = {"sparsity": sparsity, "rounds": rounds, "epochs": setting.epochs, "control": control}
                found[control].append(_ticket(child, folder, setting, {**params, "seed": seed}))
            pairs.append(
                Pair(sparsity=sparsity, rewound=tuple(found[False]), control=tuple(found[True]), n=setting.test)
            )
    return Lottery(pairs=tuple(pairs))


def figures(found: Lottery) -> tuple[Figure, ...]:
    """A row for each sparsity."""
    return tuple(_figure(pair) for pair in found.pairs)


def interval(values: Sequence[float]) -> float:
    """Half the width of the 95 % interval of a mean (Student's t)."""
    return _T_975[len(values) - 2] * stdev(values) / sqrt(len(values))


def _figure(pair: Pair) -> Figure:
    rewound, control = ([100 * right / pair.n for right in each] for each in (pair.rewound, pair.control))
    gain = [one - other for one, other in zip(rewound, control, strict=True)]
    return Figure(
        what=f"LeNet-300-100 on MNIST, ticket of {pair.sparsity:.0%} zeros: rewound, new weights, difference",
        value=f"{_spoken(rewound)} %, {_spoken(control)} %, {_spoken(gain)} points",
        note=f"mean of {len(gain)} seeds with its 95 % interval (Student's t), top-1 of {pair.n:,} test images; the "
        "difference is taken seed by seed, under the same mask",
    )


def _spoken(values: Sequence[float]) -> str:
    return f"{mean(values):.2f} ± {interval(values):.2f}"


def _ticket(child: Isolate, folder: Path, setting: Setting, chosen: dict[str, Any]) -> int:
    fixed = {"scope": "global", "reinitialise": True, "validation_split": 0.0}
    parsed = asdict(PASSES.load("lottery_ticket").parse({**fixed, **chosen}))
    version = (PASSES.load("lottery_ticket").version, tool_version("torch"), sha256_file(SHARED / _DATA))
    kept = KEPT / f"lottery-{sha256_json([parsed, setting.train, setting.test, *version])[:16]}.json"
    if not kept.is_file():
        request = {"folder": str(folder), "params": parsed}
        right = child.call("benchmarks._lottery_run:ticket", request, what="finding a ticket", timeout_s=_TIMEOUT_S)
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(json.dumps(right), encoding="utf-8")
    return int(json.loads(kept.read_text(encoding="utf-8")))


def _write_data(folder: Path, setting: Setting) -> None:
    with np.load(SHARED / _DATA) as data:
        for part, end, count in (("train", "", setting.train), ("test", "_test", setting.test)):
            x, y = data[f"x_{part}"], data[f"y_{part}"]
            chosen = np.random.default_rng(_SEED).permutation(len(x))[:count]
            np.save(folder / f"x{end}.npy", _scaled(x[chosen]))
            np.save(folder / f"y{end}.npy", y[chosen].astype(np.int64))


def _scaled(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """0 to 255 as float32 in 0 to 1, channels first."""
    return np.asarray(pixels.reshape(-1, 1, 28, 28) / 255.0, np.float32)
