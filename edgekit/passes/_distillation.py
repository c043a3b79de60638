"""What the passes share in which a student learns from a teacher: their parameters, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from edgekit.passes._training import TrainingParams

Method = Literal["response", "feature", "relation_layers", "relation_samples"]
Wrong = tuple[str, bool, str]
"""A parameter, whether its value is impossible, and what to do about it."""


@dataclass(frozen=True, kw_only=True)
class DistillationParams(TrainingParams):
    """What a student learns from its teacher.

    Attributes:
        student: the model that is trained in place of the recipe's own, which is the teacher then.
        teacher: the model that is learned from; the recipe's own is the student then.
        methods: what the student imitates; several add up.
            response: softened scores (Hinton et al. 2015, arXiv 1503.02531);
            feature: outputs of hint layers through a learned linear adapter (FitNets, Romero et al. 2015,
            arXiv 1412.6550);
            relation_layers: the flow between two layers (FSP matrix, Yim et al. 2017, CVPR);
            relation_samples: distances and angles between the samples of a batch (RKD, Park et al. 2019,
            arXiv 1904.05068).
        temperature: divides the scores of both before the softmax.
        alpha: share of the teacher's scores in the loss, 0 to 1; the rest is the loss of the labels.
        hints: teacher's layer -> student's layer, for `feature`; PyTorch's names are those of `named_modules`.
        flows: first layer -> second layer of a teacher's pair, for `relation_layers`; the student's layers have the
            same names, or those that `hints` gives.
        embedding: the layer whose outputs `relation_samples` compares, by the rule of `flows`; empty takes the input of
            the last layer with weights.
        feature_weight, relation_weight: factors of these losses.
    """

    epochs: int = 10
    student: str = ""
    teacher: str = ""
    methods: tuple[Method, ...] = ("response",)
    temperature: float = 4.0
    alpha: float = 0.5
    hints: Mapping[str, str] | None = None
    flows: Mapping[str, str] | None = None
    embedding: str = ""
    feature_weight: float = 1.0
    relation_weight: float = 1.0


def wrong(params: DistillationParams) -> Iterator[Wrong]:
    """The checks of all these passes."""
    yield ("temperature", params.temperature <= 0, "take a number above 0, such as 4")
    yield ("alpha", not 0 <= params.alpha <= 1, "take a share from 0 to 1")
    yield ("methods", not params.methods, "take at least one, such as response")
    yield ("hints", "feature" in params.methods and not params.hints, "name layers: {teacher = student}")
    yield ("flows", "relation_layers" in params.methods and not params.flows, "name pairs: {first = second}")
    yield ("teacher", bool(params.student and params.teacher), "name the student or the teacher, not both")
