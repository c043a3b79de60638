"""What is done to a model: steps in order, and the record of each step once it ran."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from edgekit.core.measurement import Accuracy, Score


@dataclass(frozen=True, kw_only=True)
class Step:
    """One pass with its parameters, as people write it.

    Attributes:
        pass_name: name of the pass.
        params: its parameters.
        choices: parameters with the values to try under an accuracy budget, the most aggressive first; the first one
            counts without a budget, and the step is left out where none keeps the budget.
    """

    pass_name: str
    params: Mapping[str, Any] = field(default_factory=dict)
    choices: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A named list of steps.

    Attributes:
        name: what `--recipe` takes.
        summary: one sentence on what it does.
        when: one sentence on when to use it.
        steps: the passes, in order.
        folder: of the recipe's file, which paths in parameters are relative to; None takes the working folder.
    """

    name: str
    summary: str
    when: str
    steps: tuple[Step, ...]
    folder: Path | None = None


@dataclass(frozen=True, kw_only=True)
class StepMetrics:
    """What a model is after a step, taken from the .tflite that it would be shipped as at that point.

    Attributes:
        size_bytes: of that file.
        zip_bytes: of it after deflate at level 9, what it adds to a zip archive without the headers.
        gzip_bytes: of it by gzip, level 9.
        parameters: constants that count as weights.
        sparsity: share of zeros among the weights, 0 to 1.
        unique_weights: the largest number of different values in one weight tensor.
        macs: multiply-accumulates of one inference.
        activation_bytes: largest sum of tensors that live at once: the lower bound of any memory plan.
        accuracy: top-1 on the evaluation set, None where there is none.
        score: the metric that was asked for, None for top-1.
        gain: one line: what the step gained on the target, or that it gained nothing.
    """

    size_bytes: int
    zip_bytes: int
    gzip_bytes: int
    parameters: int
    sparsity: float
    unique_weights: int
    macs: int
    activation_bytes: int
    accuracy: Accuracy | None = None
    score: Score | None = None
    gain: str = ""


@dataclass(frozen=True, kw_only=True)
class StepRecord:
    """What one step did.

    Attributes:
        pass_name, params: the step, every default filled in.
        versions: versions of the tools that did the work.
        seconds: wall-clock time; for a cache hit the time of the look-up.
        cache_hit: the result was there already.
        size_bytes, zip_bytes: of the artifact after the step.
        digest: of the artifact after the step.
        notes: what the user should know of it, one sentence each, e.g. layers that were left as they are.
        metrics: what the model is after the step; None while nobody has looked.
    """

    pass_name: str
    params: Mapping[str, Any]
    versions: Mapping[str, str]
    seconds: float
    cache_hit: bool
    size_bytes: int
    zip_bytes: int
    digest: str
    notes: tuple[str, ...] = ()
    metrics: StepMetrics | None = None
