"""Train a small student to answer as its teacher does: response, feature and relation distillation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from edgekit.core.artifact import Artifact
from edgekit.core.errors import ConfigurationError
from edgekit.passes._base import PassContext
from edgekit.passes._distillation import DistillationParams, wrong
from edgekit.passes._training import TrainingPass


@dataclass(frozen=True, kw_only=True)
class DistillParams(DistillationParams):
    """Parameters of `distill` beside those of every distillation.

    The model of the recipe is the teacher, and a student is made from it by `width` or read from `student`. With
    `teacher` the model of the recipe is the student.

    Attributes:
        student: a Keras model file that is trained, its path relative to the recipe's file; empty makes one from the
            teacher.
        teacher: a Keras model file that is learned from; empty takes the recipe's model.
        width: filters and units of the student as a share of the teacher's, those of the output kept; 1.0 with
            `reinitialise` false is self-distillation.
        reinitialise: a student of width 1.0 begins with new weights (born-again, Furlanello et al. 2018,
            arXiv 1805.04770) instead of the teacher's.
    """

    width: float = 0.5
    reinitialise: bool = False


class Distill(TrainingPass[DistillParams]):
    """The pass `distill`."""

    name = "distill"
    version = "1"
    params_type = DistillParams
    function = "edgekit.passes._keras.distilling:distill"

    def models(self, params: DistillParams) -> tuple[str, ...]:
        """The student's or the teacher's file."""
        return tuple(path for path in (params.student, params.teacher) if path)

    def _check(self, params: DistillParams) -> None:
        for name, is_wrong, hint in (
            ("width", not 0 < params.width <= 4, "take a share above 0, such as 0.5"),
            *wrong(params),
        ):
            if is_wrong:
                raise ConfigurationError(f"{self.name}.{name} is {getattr(params, name)!r}", hint=hint)

    def _extra(self, _artifact: Artifact, params: DistillParams, context: PassContext) -> dict[str, Any]:
        named = {"student": params.student, "teacher": params.teacher}
        return {
            role: {"source": str(context.models[path].path), "source_format": context.models[path].format}
            for role, path in named.items()
            if path
        }


PASS = Distill()
