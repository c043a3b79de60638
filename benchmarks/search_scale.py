"""What a second worker is worth to a search, and what a trial costs more as a task of Ray."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks._compression_bench import Files, files
from benchmarks._figures import Figure
from benchmarks._folders import edgekit, fresh_cache, own_folders
from benchmarks._missing import CannotRun
from benchmarks._search_nothing import search_nothing
from edgekit.config.targets import load_target
from edgekit.core.search.trial import State, Trial
from edgekit.flows.request import CompileRequest
from edgekit.flows.searching.request import SearchRequest
from edgekit.flows.searching.run import open_study

RUNS = 3

_TRIALS, _TARGET, _SAMPLES = 24, "cortex_m4", 2000
_SPACE = """
schema = 1

[parameters]
quantize = ["int8"]
"int8.calibration" = ["min_max", "moving_average", "percentile", "mse", "kl"]
"cortex_m.optimize" = ["speed", "ram", "flash"]
"layer.lenet5_1/conv1_1/Relu" = ["int8", "int16"]
"layer.lenet5_1/conv2_1/Relu" = ["int8", "int16"]
"""
_NOTHINGS = 200
_LEAST_GAIN, _MOST_OVERHEAD_S = 1.8, 0.2


@dataclass(frozen=True, kw_only=True)
class Scale:
    """Raw figures.

    Attributes:
        one, two: trials of LeNet-5's recipes an hour, by one and by two workers, run by run.
        process_s, ray_s: a trial that costs nothing, in a process and as a task of Ray, run by run.
    """

    one: list[float]
    two: list[float]
    process_s: list[float]
    ray_s: list[float]

    @property
    def gains(self) -> list[float]:
        """Two workers to one, run by run."""
        return [two / one for one, two in zip(self.one, self.two, strict=True)]

    @property
    def overheads_s(self) -> list[float]:
        """Ray to a process, run by run."""
        return [ray - process for process, ray in zip(self.process_s, self.ray_s, strict=True)]


def measure(runs: int) -> Scale:
    """Search with nothing cached, by one and by two workers in turn; then search nothing, with and without Ray.

    Raises:
        CannotRun: there is one core alone, or no Ray.
    """
    if len(os.sched_getaffinity(0)) < 2:
        raise CannotRun("needs two cores")
    try:
        import ray  # noqa: F401 -- whether it is there
    except ImportError as missing:
        raise CannotRun("needs Ray: pip install 'edgekit-deploy[ray]'") from missing
    given = files("lenet5", "data/mnist.npz")
    rates: dict[int, list[float]] = {1: [], 2: []}
    costs: dict[str | None, list[float]] = {None: [], "local": []}
    with own_folders() as folder:
        for run in range(runs):
            for workers in (1, 2) if run % 2 == 0 else (2, 1):
                rates[workers].append(3600 / _recipes(folder, given, workers))
            for address in (None, "local") if run % 2 == 0 else ("local", None):
                costs[address].append(_nothing(folder, address))
    return Scale(one=rates[1], two=rates[2], process_s=costs[None], ray_s=costs["local"])


def _recipes(folder: Path, given: Files, workers: int) -> float:
    """Seconds a trial, from the first one's beginning to the last one's end; the same points each time."""
    fresh_cache(folder)
    place = Path(tempfile.mkdtemp(dir=folder))
    file, study = place / "space.toml", place / "study"
    file.write_text(_SPACE, encoding="utf-8")
    edgekit(
        "search", given.model, "--target", _TARGET, "--space", file, "--strategy", "random", "--trials", _TRIALS,
        "--calibration-data", given.train, "--eval-data", given.evaluation, "--limit", _SAMPLES,
        "--workers", workers, "--study", study,
    )  # fmt: skip
    _, opened = open_study(study)
    trials = opened.trials()
    opened.close()
    if len(trials) != _TRIALS or any(trial.state not in (State.COMPLETE, State.PRUNED) for trial in trials):
        raise RuntimeError(f"trials failed: {[trial.state for trial in trials]}")
    return seconds_each(trials)


def _nothing(folder: Path, address: str | None) -> float:
    place = Path(tempfile.mkdtemp(dir=folder))
    (place / "model").touch()
    request = SearchRequest(
        compile=CompileRequest(model=place / "model", target=load_target(_TARGET)), folder=place / "study",
        trials=_NOTHINGS, ray=address,
    )  # fmt: skip
    return seconds_each(search_nothing(request).trials)


def seconds_each(trials: Sequence[Trial]) -> float:
    """From the first one's beginning to the last one's end, shared out among all."""
    began = [trial.began for trial in trials if trial.began is not None]
    ended = [trial.ended for trial in trials if trial.ended is not None]
    return (max(ended) - min(began)) / len(trials)


def figures(found: Scale) -> tuple[Figure, ...]:
    """The rows."""
    gain, overhead_s = median(found.gains), median(found.overheads_s)
    return (
        Figure(
            what="trials an hour, two workers to one",
            value=f"{gain:.2f} ({min(found.gains):.2f} to {max(found.gains):.2f})",
            goal=f"at least {_LEAST_GAIN}",
            met=gain >= _LEAST_GAIN,
            note=f"{_TRIALS} recipes of LeNet-5 for {_TARGET}, nothing cached: {median(found.two):,.0f} an hour "
            f"with two workers, {median(found.one):,.0f} with one; median and range of {len(found.one)} pairs",
        ),
        Figure(
            what="a trial as a task of Ray, beyond one in a process",
            value=f"{1000 * overhead_s:.1f} ms ({1000 * min(found.overheads_s):.1f} to "
            f"{1000 * max(found.overheads_s):.1f})",
            goal=f"at most {1000 * _MOST_OVERHEAD_S:.0f} ms",
            met=overhead_s <= _MOST_OVERHEAD_S,
            note=f"searches of {_NOTHINGS} trials that cost nothing: {1000 * median(found.ray_s):.1f} ms a trial with "
            f"Ray, {1000 * median(found.process_s):.1f} ms without; median and range of {len(found.ray_s)} pairs",
        ),
    )
