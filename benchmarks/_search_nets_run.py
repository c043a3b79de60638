"""One hand-made net, or one search, for one data set: the commands that are run, and the answers on the test set."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks._compression_bench import KEPT, SHARED
from benchmarks._folders import EDGEKIT, ROOT, edgekit
from benchmarks._missing import CannotRun
from edgekit.bundle.pack import Bundle
from edgekit.config.targets import load_target
from edgekit.core.quantize import argmax_answers, quantize
from edgekit.emulators.cortex_m import infer_many, run_image
from edgekit.flows.subject import from_bundle
from edgekit.flows.workspace import workspace

TARGET = "cortex_m4"
RAM, FLASH = "64KiB", "256KiB"
_TRAINING_S = 1800
_SLACK_S = 1200.0
"""Beyond its time a search ends what it began to write: bundles of its front, its page."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """One data set.

    Attributes:
        name: short, as in the names of its files.
        title: of the reference net.
        needs: a file below ../shared.
        space: that is searched.
        anew: space of the reference net alone.
        epochs: most of a trial.
    """

    name: str
    title: str
    needs: str
    space: str
    anew: str
    epochs: int

    def file(self, part: str) -> Path:
        """A set of samples: "train", "validation" or "test"."""
        return KEPT / f"search-{self.name}-{part}.npz"

    @property
    def model(self) -> Path:
        """The reference net, trained."""
        return KEPT / f"search-{self.name}.keras"

    def test(self) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Samples and classes that nothing is chosen by."""
        with np.load(self.file("test")) as data:
            return data["x"], data["y"]


@dataclass(frozen=True, kw_only=True)
class Net:
    """A net on its board.

    Attributes:
        right: whether each sample of the test was answered rightly, by the image on the emulated board.
        instructions: of one inference, exact.
        ram_bytes, flash_bytes: of the image.
    """

    right: tuple[bool, ...]
    instructions: int
    ram_bytes: int
    flash_bytes: int


@dataclass(frozen=True, kw_only=True)
class Search:
    """What a search came to.

    Attributes:
        seed: of it.
        net: of the front, no dearer than the reference, the most accurate on the validation set.
        validation: its accuracy there, 0 to 1.
        point: what the study chose for it.
        counts: trials by how they ended, and in all.
        seconds: that the command took.
        proxies: Spearman's rank correlation with the accuracy and number of nets, by zero-cost proxy.
    """

    seed: int
    net: Net
    validation: float
    point: Mapping[str, Any]
    counts: Mapping[str, int]
    seconds: float
    proxies: Mapping[str, Mapping[str, float]]


def prepare(task: Task) -> None:
    """Train the reference net and split the data, at the first use; then they are kept in build/bench.

    Raises:
        CannotRun: the data is not there.
    """
    if not (SHARED / task.needs).is_file():
        raise CannotRun(f"needs {task.needs} in {SHARED.name}/ beside the repository")
    if not all(path.is_file() for path in (task.model, *map(task.file, ("train", "validation", "test")))):
        script = [sys.executable, "-m", "benchmarks._search_nets_models", task.name, str(SHARED), str(KEPT)]
        done = subprocess.run(script, capture_output=True, text=True, timeout=_TRAINING_S, check=False, cwd=ROOT)
        if done.returncode:
            raise RuntimeError(f"the reference net of {task.name} was not trained:\n{done.stderr[-2000:]}")


def compiled(task: Task, folder: Path) -> Net:
    """The reference net, int8, as `edgekit compile` makes it."""
    bundle = folder / f"{task.name}.edgekit"
    document = edgekit(
        "compile", task.model, "--target", TARGET, "--calibration-data", task.file("train"), "--output", bundle
    )
    return net_of(task, bundle, document["mcu"])


def searched(task: Task, folder: Path, space: str, most_instructions: int, seed: int, *options: object) -> Search:
    """Search a space within the reference net's instructions, and take the net that is best on the validation set.

    Args:
        task: data.
        folder: for the study.
        space: "module:function".
        most_instructions: of one inference.
        seed: of the search.
        options: how long, or how many trials.

    Raises:
        RuntimeError: the search failed or found nothing.
    """
    study = folder / f"{task.name}-{space.rpartition(':')[2]}-{seed}.search"
    document = _run(
        "search", "--space", space, "--target", TARGET, "--study", study, "--seed", seed, "--epochs", task.epochs,
        "--train-data", task.file("train"), "--calibration-data", task.file("train"),
        "--eval-data", task.file("validation"), "--goal", "accuracy",
        "--at-most", f"ram_bytes={RAM}", "--at-most", f"flash_bytes={FLASH}",
        "--at-most", f"instructions={most_instructions}", *options,
    )  # fmt: skip
    chosen = chosen_point(document["front"], most_instructions)
    bundle = study / chosen["bundle"]
    return Search(
        seed=seed,
        net=net_of(task, bundle, chosen["values"]),
        validation=chosen["values"]["accuracy"],
        point=chosen["params"],
        counts=document["counts"],
        seconds=document["seconds"],
        proxies=document["proxies"],
    )


def chosen_point(front: list[dict[str, Any]], most_instructions: int) -> dict[str, Any]:
    """The most accurate point that is deployable and no dearer; of equals the one with the fewest instructions."""
    fit = [point for point in front if point["bundle"] and point["values"]["instructions"] <= most_instructions]
    return max(fit, key=lambda point: (point["values"]["accuracy"], -point["values"]["instructions"]))


def net_of(task: Task, bundle: Path, figures: Mapping[str, Any]) -> Net:
    """Let the image of a bundle answer the test set on the emulated board, and count one inference there.

    Args:
        task: data.
        bundle: of a net.
        figures: with "ram_bytes" and "flash_bytes".
    """
    x, y = task.test()
    board = load_target(TARGET).board
    assert board is not None
    with workspace(lambda _: None) as tools:
        subject = from_bundle(Bundle.open(bundle), tools)
        assert subject.path is not None
        (given,), (answered,) = subject.inputs, subject.outputs
        quantized = quantize(x.reshape(len(x), *given.shape[1:]), given)
        samples = [[np.ascontiguousarray(sample).tobytes()] for sample in quantized]
        instructions = run_image(subject.path, board, samples[:1]).instructions
        assert instructions is not None
        answers = infer_many(subject.path, board, samples)
    scores = np.stack([np.frombuffer(answer, answered.dtype) for (answer,) in answers])
    return Net(
        right=tuple(map(bool, argmax_answers(scores) == y)),
        instructions=instructions,
        ram_bytes=int(figures["ram_bytes"]),
        flash_bytes=int(figures["flash_bytes"]),
    )


def _run(*arguments: object) -> dict[str, Any]:
    """`edgekit ... --json` in the repository, where the spaces of this folder are found; its document."""
    words = list(map(str, arguments))
    minutes = float(words[words.index("--budget-minutes") + 1]) if "--budget-minutes" in words else 60.0
    command = [*EDGEKIT, *words, "--json"]
    limit_s = 60 * minutes + _SLACK_S
    done = subprocess.run(command, capture_output=True, text=True, timeout=limit_s, check=False, cwd=ROOT)
    if done.returncode:
        raise RuntimeError(f"edgekit {' '.join(words)} ended with {done.returncode}:\n{done.stderr[-4000:]}")
    document: dict[str, Any] = json.loads(done.stdout)
    return document
