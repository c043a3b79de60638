"""What the compression benchmarks share: the float models, a cache that lasts, the hand-written scripts, and rows."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks._figures import Figure
from benchmarks._folders import ROOT, edgekit, own_folders
from benchmarks._missing import CannotRun
from edgekit.core.digest import sha256_file, sha256_json
from edgekit.core.statistics import wilson

TARGET = "rpi4"
SHARED = ROOT.parent / "shared"
_HERE = Path(__file__).parent
KEPT = ROOT / "build" / "bench"
_TIMEOUT_S = 3600
_CACHE = "EDGEKIT_CACHE_DIR"


@dataclass(frozen=True, kw_only=True)
class Files:
    """What is compiled, and with which data.

    Attributes:
        name: of the benchmark.
        model: the float Keras model.
        train, evaluation: .npz files with x and y.
    """

    name: str
    model: Path
    train: Path
    evaluation: Path


@dataclass(frozen=True, kw_only=True)
class Row:
    """A .tflite by its bytes and its answers.

    Attributes:
        size_bytes: of the file.
        zip_bytes: of it after deflate at level 9, headers aside.
        correct, n: right answers, of so many.
        chosen: what the accuracy budget chose, e.g. {"prune.sparsity": 0.9}.
        kept: layers that it left out of int8, e.g. "conv1/Relu (float32)".
        kept_weights: their share of all weights, 0 to 1.
    """

    size_bytes: int
    zip_bytes: int
    correct: int
    n: int
    chosen: dict[str, Any]
    kept: tuple[str, ...] = ()
    kept_weights: float = 0.0

    @property
    def accuracy(self) -> float:
        """Top-1, 0 to 1."""
        return self.correct / self.n


def files(name: str, needs: str, *more: str) -> Files:
    """The float model and its data, trained or split at the first use and then kept in build/bench.

    Args:
        name: of the benchmark.
        needs: a file below ../shared.
        more: ends of the names of further files that are made with it.

    Raises:
        CannotRun: it is not there.
    """
    if not (SHARED / needs).is_file():
        raise CannotRun(f"needs {needs} in {SHARED.name}/ beside the repository")
    model, train, evaluation = (KEPT / f"{name}{end}" for end in (".keras", "-train.npz", "-eval.npz"))
    if needs.endswith((".h5", ".keras")):
        model = SHARED / needs
    if not all(path.is_file() for path in (model, train, evaluation, *(KEPT / f"{name}{end}" for end in more))):
        script = [sys.executable, str(_HERE / "_float_models.py"), name, str(SHARED), str(KEPT)]
        subprocess.run(script, check=True, capture_output=True, timeout=_TIMEOUT_S)
    return Files(name=name, model=model, train=train, evaluation=evaluation)


@contextmanager
def lasting_cache() -> Iterator[Path]:
    """Folders of the benchmark's own, but for trained results, which stay in build/bench for the next run."""
    with own_folders() as folder:
        os.environ[_CACHE] = str(KEPT / "cache")
        yield folder


def compiled(given: Files, folder: Path, recipe: str | Path, *options: object) -> tuple[Row, Row]:
    """What `edgekit compile` makes: the float reference and the artifact."""
    document = edgekit("compile", *command(given, recipe), *options, "--output", folder / f"{given.name}.edgekit")
    accuracy = document["accuracy"]
    return (
        row(document["reference"], accuracy["float"], {}),
        row(document["artifact"], accuracy["artifact"], document["budget"] or {}),
    )


def command(given: Files, recipe: str | Path) -> list[object]:
    """The arguments of `edgekit compile`."""
    name = _HERE / "recipes" / recipe if isinstance(recipe, Path) else recipe
    data = ("--train-data", given.train, "--calibration-data", given.train, "--eval-data", given.evaluation)
    return [given.model, "--target", TARGET, "--recipe", name, *data]


def by_hand(given: Files, *more: str, script: str | None = None) -> dict[str, Row]:
    """The rows of the hand-written script, kept until it, its model, its data or its arguments change.

    Args:
        given: model and data.
        more: arguments of the script behind those.
        script: its name behind `_by_hand_`; None takes that of the benchmark.
    """
    code, steps = _HERE / f"_by_hand_{script or given.name}.py", _HERE / "_by_hand_steps.py"
    sources = (code, steps, given.model, given.train, given.evaluation)
    key = sha256_json([*map(sha256_file, sources), *more])
    kept = KEPT / f"by-hand-{given.name}-{key[:12]}.json"
    if not kept.is_file():
        arguments = [sys.executable, *map(str, (code, given.model, given.train, given.evaluation)), *more]
        done = subprocess.run(arguments, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
        if done.returncode:
            raise RuntimeError(f"{code.name} ended with {done.returncode}:\n{done.stderr[-2000:]}")
        kept.write_text(done.stdout.splitlines()[-1], encoding="utf-8")
    return {name: Row(**row, chosen={}) for name, row in json.loads(kept.read_text(encoding="utf-8")).items()}


def spoken(row: Row) -> str:
    """Bytes and accuracy with Wilson's 95 % interval."""
    interval = wilson(row.correct, row.n)
    low, high = interval.low * 100, interval.high * 100
    return f"{row.zip_bytes:,} zip bytes, {row.accuracy:.2%} of {row.n:,} ({low:.1f} to {high:.1f})"


def plain(what: str, row: Row, note: str = "") -> Figure:
    """A row that only informs."""
    return Figure(what=what, value=spoken(row), note=note)


def goal(what: str, row: Row, wanted: str, met: bool, note: str = "") -> Figure:
    """A row with a goal; what the accuracy budget chose goes into the note."""
    chosen = ", ".join(f"{name} {value}" for name, value in row.chosen.items())
    notes = [f"chosen by the budget: {chosen}"] if chosen else []
    return Figure(what=what, value=spoken(row), goal=wanted, met=met, note="; ".join([*notes, note] if note else notes))


def row(artifact: dict[str, Any], accuracy: dict[str, Any], budget: dict[str, Any]) -> Row:
    """What a document of `edgekit compile` says of an artifact."""
    return Row(
        size_bytes=artifact["size_bytes"],
        zip_bytes=artifact["zip_bytes"],
        correct=accuracy["correct"],
        n=accuracy["n"],
        chosen=dict(budget.get("settings", {})),
        kept=tuple(f"{layer['name'].partition(';')[0]} ({layer['form']})" for layer in budget.get("kept", ())),
        kept_weights=budget.get("kept_weights", 0.0),
    )
