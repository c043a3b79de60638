"""Train a small PyTorch student to answer as its teacher does: response, feature and relation distillation."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from edgekit.core.artifact import Artifact
from edgekit.core.digest import sha256_file
from edgekit.core.errors import ConfigurationError, InputError
from edgekit.passes._base import PassContext
from edgekit.passes._torch_pass import TorchTrainingPass
from edgekit.passes._training import TrainingParams

Method = Literal["response", "feature", "relation_layers", "relation_samples"]
_FACTORY = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*:[^\W\d]\w*")


@dataclass(frozen=True, kw_only=True)
class TorchDistillParams(TrainingParams):
    """Parameters of `torch_distill`, named as those of `distill`.

    The model of the recipe is the teacher, and `student` is trained. With `teacher` the model of the recipe is the
    student, e.g. what `torch_slim` left of it. Without either it learns from itself (self-distillation).

    Attributes:
        student: factory of the student, as "package.module:function".
        student_weights: file of weights that the student begins with; empty begins with those that the factory gives.
        teacher: factory of the teacher.
        teacher_weights: file of its weights. Both files are looked for from the working folder on, as `--weights`.
        reinitialise: a model that learns from itself begins with new weights (born-again, Furlanello et al. 2018,
            arXiv 1805.04770) instead of its own.
        methods: what the student imitates; several add up.
            response: softened scores (Hinton et al. 2015, arXiv 1503.02531);
            feature: outputs of hint layers through a learned linear adapter (FitNets, Romero et al. 2015,
            arXiv 1412.6550);
            relation_layers: the flow between two layers (FSP matrix, Yim et al. 2017, CVPR);
            relation_samples: distances and angles between the samples of a batch (RKD, Park et al. 2019,
            arXiv 1904.05068).
        temperature: divides the scores of both before the softmax.
        alpha: share of the teacher's scores in the loss, 0 to 1; the rest is the loss of the labels.
        hints: teacher's layer -> student's layer, for `feature`; names as in `named_modules`.
        flows: first layer -> second layer of a teacher's pair, for `relation_layers`; the student's layers have the
            same names, or those that `hints` gives.
        embedding: the layer whose outputs `relation_samples` compares, by the rule of `flows`; empty takes the input of
            the last layer with weights.
        feature_weight, relation_weight: factors of these losses.
    """

    epochs: int = 10
    student: str = ""
    student_weights: str = ""
    teacher: str = ""
    teacher_weights: str = ""
    reinitialise: bool = False
    methods: tuple[Method, ...] = ("response",)
    temperature: float = 4.0
    alpha: float = 0.5
    hints: Mapping[str, str] | None = None
    flows: Mapping[str, str] | None = None
    embedding: str = ""
    feature_weight: float = 1.0
    relation_weight: float = 1.0


class TorchDistill(TorchTrainingPass[TorchDistillParams]):
    """The pass `torch_distill`."""

    name = "torch_distill"
    version = "1"
    params_type = TorchDistillParams
    function = "edgekit.passes._torch.distilling:distill"

    def _check(self, params: TorchDistillParams) -> None:
        factory_hint = 'name a function as in "package.module:function"'
        for name, is_wrong, hint in (
            ("temperature", params.temperature <= 0, "take a number above 0, such as 4"),
            ("alpha", not 0 <= params.alpha <= 1, "take a share from 0 to 1"),
            ("methods", not params.methods, "take at least one, such as response"),
            ("hints", "feature" in params.methods and not params.hints, "name layers: {teacher = student}"),
            ("flows", "relation_layers" in params.methods and not params.flows, "name pairs: {first = second}"),
            ("teacher", bool(params.student and params.teacher), "name the student or the teacher, not both"),
            ("student", bool(params.student) and not _FACTORY.fullmatch(params.student), factory_hint),
            ("teacher", bool(params.teacher) and not _FACTORY.fullmatch(params.teacher), factory_hint),
            ("student_weights", bool(params.student_weights) and not params.student, "name the student too"),
            (
                "teacher_weights",
                bool(params.teacher_weights) != bool(params.teacher),
                "name the teacher and its weights",
            ),
            ("reinitialise", params.reinitialise and bool(params.student or params.teacher), "leave it out"),
            ("loop", bool(params.loop), "leave it out: the loss is the pass's own"),
        ):
            if is_wrong:
                raise ConfigurationError(f"{self.name}.{name} is {getattr(params, name)!r}", hint=hint)

    def _effective(self, parsed: TorchDistillParams, context: PassContext) -> dict[str, Any]:
        """What the other model is counts, not where it lies: its weights, and the file of its factory."""
        files = {name: Path(path) for name, path in _weights(parsed).items()}
        for factory in filter(None, (parsed.student, parsed.teacher)):
            parts = factory.partition(":")[0].split(".")
            files["factory"] = Path(*parts, "__init__.py") if Path(*parts).is_dir() else Path(*parts).with_suffix(".py")
        digests = {f"{name}_digest": sha256_file(path) for name, path in files.items() if path.is_file()}
        return super()._effective(parsed, context) | digests

    def _extra(self, _artifact: Artifact, params: TorchDistillParams, _context: PassContext) -> dict[str, Any]:
        found = {}
        for name, path in _weights(params).items():
            if not Path(path).is_file():
                raise InputError(
                    f"{self.name}.{name}: there is no file {path}", hint="name it from the working folder on"
                )
            found[name] = str(Path(path).resolve())
        return found


def _weights(params: TorchDistillParams) -> dict[str, str]:
    """The files of weights that are named, by parameter."""
    named = {"student_weights": params.student_weights, "teacher_weights": params.teacher_weights}
    return {name: path for name, path in named.items() if path}


PASS = TorchDistill()
