"""What a compilation is asked to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgekit.core.dataset import Dataset
from edgekit.core.errors import EdgekitError
from edgekit.core.factory import Factory
from edgekit.core.metric import TOP_1, Metric
from edgekit.core.paired import CONFIDENCE
from edgekit.core.recipe import Recipe
from edgekit.core.target import Target


@dataclass(frozen=True, kw_only=True)
class CompileRequest:
    """What to compile.

    Attributes:
        model: the user's file or folder, or the function that builds a PyTorch module.
        target: where it will run.
        recipe: None takes the target's own, or no step at all for a model that is compressed already.
        calibration: preprocessed samples; the representative dataset is drawn from them.
        training: preprocessed samples for the steps that train; they calibrate too where nothing else does.
        evaluation: preprocessed samples with labels, for the accuracy before and after.
        metric: what answers are judged by.
        max_drop: the accuracy budget: how much worse than the float model the artifact may be by that metric, in its
            unit; top-k and F1 run from 0 to 1; None for none.
        confidence: one-sided; how sure it has to be that the budget holds.
        keep_float: regular expressions over the names of layers that the quantizing step leaves in float.
        optimize: what the microcontroller compiler saves: "speed", "ram" or "flash"; None leaves it to the recipe.
        output: the bundle; None makes `<model>-<target>.edgekit` in the working folder.
        representative_samples: how many of the calibration samples are used.
        seed: of that choice.
        input_shape: sizes of the only input, the batch first; for a model of a framework that leaves them open.
        strict: what would be a warning is an error.
        timeout_s: limit for each conversion.
    """

    model: Path | Factory
    target: Target
    recipe: Recipe | None = None
    calibration: Dataset | None = None
    training: Dataset | None = None
    evaluation: Dataset | None = None
    metric: Metric = TOP_1
    max_drop: float | None = None
    confidence: float = CONFIDENCE
    keep_float: tuple[str, ...] = ()
    optimize: str | None = None
    output: Path | None = None
    representative_samples: int = 100
    seed: int = 0
    input_shape: tuple[int, ...] | None = None
    strict: bool = False
    timeout_s: float = 1800.0

    def refuse(self, warnings: Sequence[str], error: type[EdgekitError]) -> None:
        """With `strict` a warning is an error.

        Args:
            warnings: what looks wrong, perhaps nothing.
            error: its kind.

        Raises:
            EdgekitError: `error`, with `strict` and at least one warning.
        """
        if warnings and self.strict:
            raise error("; ".join(warnings), hint="mend it, or leave out --strict to be warned only")
