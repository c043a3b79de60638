"""The stages that every candidate goes through once it is a chain of steps: static, accuracy, device."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from edgekit.core.errors import InterruptedByUserError, UnsupportedError
from edgekit.core.paired import judge_drop
from edgekit.core.verdict import Outcome as Judgement
from edgekit.flows.board import IMAGE, count_image
from edgekit.flows.fit import fit
from edgekit.flows.formats import EMULATED
from edgekit.flows.trials import run_steps

if TYPE_CHECKING:
    from edgekit.core.artifact import Artifact
    from edgekit.core.paired import Losses
    from edgekit.core.recipe import Step
    from edgekit.flows.metrics import Meter
    from edgekit.flows.prepare import Preparation
    from edgekit.flows.searching.findings import Findings
    from edgekit.flows.workspace import Workspace

_MEMORIES = {"flash": "flash_bytes", "ram": "ram_bytes"}


@dataclass(frozen=True, kw_only=True)
class Compiled:
    """A model that went through a chain of steps.

    Attributes:
        made: its preparation.
        artifacts: the model, then one a step.
    """

    made: Preparation
    artifacts: tuple[Artifact, ...]

    @cached_property
    def meter(self) -> Meter:
        """What takes its metrics."""
        return self.made.meter()

    @property
    def answering(self) -> Artifact:
        """What is judged on this computer.

        An image of a board is judged by the .tflite that it was compiled from, on this computer's kernels: the image is
        proven to answer as tflite-micro does when the bundle is made, and an emulator takes minutes for a data set.
        """
        last = self.artifacts[-1]
        return self.artifacts[-2] if last.format in EMULATED else last


def static_stage(made: Preparation, steps: Sequence[Step], found: Findings) -> Compiled:
    """Compile, and note what is known without running anything: bytes, multiply-accumulates, memory of a board.

    Raises:
        UnsupportedError: model, recipe and target do not go together. An image that is too large for its board raises
            it too, and leaves the bytes that it needs in `found.values`.
    """
    found.steps = tuple({"pass": step.pass_name, "params": dict(step.params)} for step in steps)
    try:
        artifacts, _ = run_steps(made.source, steps, made.context)
    except UnsupportedError as refusal:
        metric = _MEMORIES.get(str(refusal.details.get("memory", "")).lower())
        if metric is not None:
            found.values[metric] = float(refusal.details["need_bytes"])
        raise
    last = artifacts[-1]
    found.artifact = last.digest
    found.values |= {"size_bytes": float(last.size_bytes), "zip_bytes": float(last.zip_bytes)}
    facts = made.facts(last)
    verdict = fit(facts, artifact_format=last.format, size_bytes=last.size_bytes, target=made.request.target)
    if not verdict.ok:
        raise UnsupportedError(
            f"it does not run on {made.request.target.name}: {'; '.join(verdict.reasons)}",
            hint="edgekit inspect shows which targets it fits",
        )
    board = facts.get("mcu")
    macs = facts.get("macs") if board is None else sum(layer["macs"] for layer in board["layers"])
    if macs is not None:
        found.values["macs"] = float(macs)
    for dtype, count in (facts.get("mac_dtypes") or {}).items():
        found.proxies[f"macs_{dtype}"] = float(count)
    if board is not None:
        found.values |= {name: float(board[name]) for name in _MEMORIES.values()}
        found.measured |= set(_MEMORIES.values())
    return Compiled(made=made, artifacts=artifacts)


def accuracy_stage(tried: Compiled, found: Findings, *, reference: Artifact | None) -> None:
    """Judge the artifact on this computer.

    An error, of which less is better, is told in the notes alone: only the drop speaks of it to goals and limits.

    The drop is that against the reference on the same samples. Under an accuracy budget it is the one-sided upper bound
    that `edgekit deploy --max-drop` holds against it too; a set that is too small to prove even an unchanged model to
    be within the budget can only tell what was observed.

    Raises:
        EdgekitError: the artifact cannot be run.
    """
    score = tried.meter.score(tried.answering)
    judged = score or tried.meter.accuracy(tried.answering)
    if judged is None:
        return
    if score is not None and score.lower_is_better:
        found.notes.append(f"{score.metric} is {score.value:g} (95 %: {score.low:g} to {score.high:g}).")
    else:
        found.values["accuracy"] = judged.value
        found.intervals["accuracy"] = (judged.low, judged.high)
    if reference is None:
        return
    losses, same = (tried.meter.losses(reference, one) for one in (tried.answering, reference))
    if losses is not None and same is not None:
        found.values["accuracy_drop"] = _drop(losses, same, tried.made)


def _drop(losses: Losses, same: Losses, made: Preparation) -> float:
    budget, confidence = made.request.max_drop, made.request.confidence
    if budget is None or judge_drop(same, budget, confidence=confidence) is not Judgement.PASS:
        return losses.drop
    return losses.interval(confidence=confidence).high


def count_stage(tried: Compiled, found: Findings, tools: Workspace, stopped: Callable[[], bool]) -> None:
    """Count a board's instructions on its emulator; nothing for machines with an operating system.

    Raises:
        InterruptedByUserError: the search stops.
        EdgekitError: the emulator is not there.
    """
    image, made = tried.artifacts[-1], tried.made
    if image.format != IMAGE:
        return
    if stopped():
        raise InterruptedByUserError("the search stops")
    data = made.context.representative if made.evaluation is None else made.evaluation
    counted = count_image(image.path, image.inputs, made.request.target, data=data, seed=made.request.seed, tools=tools)
    found.values["instructions"] = float(counted.value)
    found.intervals["instructions"] = (float(counted.low), float(counted.high))
    found.measured.add("instructions")
    found.flags = sorted({*found.flags, "EMULATED"})
