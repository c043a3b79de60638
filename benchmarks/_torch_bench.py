"""What the compression benchmarks of PyTorch models share: the float models, and one `edgekit compile` each."""

from __future__ import annotations

import subprocess
import sys
from contextlib import chdir
from dataclasses import dataclass
from typing import Any

from benchmarks._compression_bench import KEPT, SHARED, lasting_cache
from benchmarks._folders import ROOT, edgekit
from benchmarks._missing import CannotRun
from edgekit.core.statistics import wilson

_TARGET = "android_arm64"
_TIMEOUT_S = 3600


@dataclass(frozen=True, kw_only=True)
class Compressed:
    """A float model and what a recipe made of it.

    Attributes:
        float_bytes: 4 for each parameter of the float model.
        file_bytes: of the artifact.
        macs: of one sample, float and compressed.
        correct: right answers, float and compressed.
        n: of so many.
    """

    float_bytes: int
    file_bytes: int
    macs: tuple[int, int]
    correct: tuple[int, int]
    n: int

    @property
    def drop_points(self) -> float:
        """Top-1 that was lost, in points."""
        return 100 * (self.correct[0] - self.correct[1]) / self.n


def compressed(factory: str, recipe: str, *, needs: str) -> Compressed:
    """Compress a model of `benchmarks._torch_models`, which is trained at the first use and kept in build/bench.

    Args:
        factory: module of this folder and function.
        recipe: of edgekit, or a file in benchmarks/recipes.
        needs: the file of ../shared that it is trained on.

    Raises:
        CannotRun: it is not there.
    """
    if not (SHARED / needs).is_file():
        raise CannotRun(f"needs {needs} in {SHARED.name}/ beside the repository")
    name = factory.partition(":")[2]
    weights, train, evaluation = (KEPT / f"torch-{name}{end}" for end in (".safetensors", "-train.npz", "-eval.npz"))
    with chdir(ROOT):
        if not all(path.is_file() for path in (weights, train, evaluation)):
            script = [sys.executable, "-m", "benchmarks._torch_models", name, str(SHARED), str(KEPT)]
            subprocess.run(script, check=True, capture_output=True, timeout=_TIMEOUT_S)
        with lasting_cache() as folder:
            own = ROOT / "benchmarks" / "recipes" / recipe
            document = edgekit(
                "compile",
                f"benchmarks.{factory}",
                *("--weights", weights, "--target", _TARGET, "--recipe", own if recipe.endswith(".toml") else recipe),
                *("--train-data", train, "--eval-data", evaluation, "--output", folder / f"{name}.edgekit"),
            )
    return _compressed(document)


def spoken(found: Compressed) -> str:
    """Accuracy of both, with Wilson's 95 % interval."""
    texts = []
    for correct in found.correct:
        interval = wilson(correct, found.n)
        texts.append(f"{correct / found.n:.2%} ({100 * interval.low:.1f} to {100 * interval.high:.1f})")
    return f"{texts[1]} of {found.n:,}, float {texts[0]}"


def _compressed(document: dict[str, Any]) -> Compressed:
    first, last = (document["accuracy"][key] for key in ("float", "artifact"))
    return Compressed(
        float_bytes=4 * document["reference"]["parameters"],
        file_bytes=document["artifact"]["size_bytes"],
        macs=(document["reference"]["macs"], document["steps"][-1]["macs"]),
        correct=(first["correct"], last["correct"]),
        n=first["n"],
    )
