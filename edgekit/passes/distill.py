"""Train a small student to answer as its teacher does: response, feature and relation distillation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from edgekit.core.artifact import Artifact
from edgekit.core.errors import ConfigurationError
from edgekit.passes._base import PassContext
from edgekit.passes._training import TrainingParams, TrainingPass

Method = Literal["response", "feature", "relation_layers", "relation_samples"]


@dataclass(frozen=True, kw_only=True)
class DistillParams(TrainingParams):
    """Parameters of `distill`.

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
        methods: what the student imitates; several add up.
            response: softened scores (Hinton et al. 2015, arXiv 1503.02531);
            feature: outputs of hint layers through a learned linear adapter (FitNets, Romero et al. 2015,
            arXiv 1412.6550);
            relation_layers: the flow between two layers (FSP matrix, Yim et al. 2017, CVPR);
            relation_samples: distances and angles between the samples of a batch (RKD, Park et al. 2019,
            arXiv 1904.05068).
        temperature: divides the scores of both before the softmax.
        alpha: share of the teacher's scores in the loss, 0 to 1; the rest is the loss of the labels.
        hints: teacher's layer -> student's layer, for `feature`.
        flows: first layer -> second layer of a teacher's pair, for `relation_layers`; the student's layers have the
            same names, or those that `hints` gives.
        embedding: the layer whose outputs `relation_samples` compares, by the rule of `flows`; empty takes the input of
            the last layer with weights.
        feature_weight, relation_weight: factors of these losses.
    """

    epochs: int = 10
    student: str = ""
    teacher: str = ""
    width: float = 0.5
    reinitialise: bool = False
    methods: tuple[Method, ...] = ("response",)
    temperature: float = 4.0
    alpha: float = 0.5
    hints: Mapping[str, str] | None = None
    flows: Mapping[str, str] | None = None
    embedding: str = ""
    feature_weight: float = 1.0
    relation_weight: float = 1.0


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
            ("temperature", params.temperature <= 0, "take a number above 0, such as 4"),
            ("alpha", not 0 <= params.alpha <= 1, "take a share from 0 to 1"),
            ("methods", not params.methods, "take at least one, such as response"),
            ("hints", "feature" in params.methods and not params.hints, "name layers: {teacher = student}"),
            ("flows", "relation_layers" in params.methods and not params.flows, "name pairs: {first = second}"),
            ("teacher", bool(params.student and params.teacher), "name the student or the teacher, not both"),
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
