"""Train a small PyTorch student to answer as its teacher does: response, feature and relation distillation."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit.core.artifact import Artifact
from edgekit.core.digest import sha256_file
from edgekit.core.errors import ConfigurationError, InputError
from edgekit.core.factory import Factory
from edgekit.passes._base import PassContext
from edgekit.passes._distillation import DistillationParams, wrong
from edgekit.passes._torch_pass import TorchTrainingPass


@dataclass(frozen=True, kw_only=True)
class TorchDistillParams(DistillationParams):
    """Parameters of `torch_distill` beside those of every distillation.

    The model of the recipe is the teacher, and `student` is trained. With `teacher` the model of the recipe is the
    student, e.g. what `torch_slim` left of it. Without either it learns from itself (self-distillation).

    Attributes:
        student: factory of the student, as "package.module:function".
        student_weights: file of weights that the student begins with; empty begins with those that the factory gives.
        teacher: factory of the teacher.
        teacher_weights: file of its weights. Both files are looked for from the working folder on, as `--weights`.
        reinitialise: a model that learns from itself begins with new weights (born-again, Furlanello et al. 2018,
            arXiv 1805.04770) instead of its own.
    """

    student_weights: str = ""
    teacher_weights: str = ""
    reinitialise: bool = False


class TorchDistill(TorchTrainingPass[TorchDistillParams]):
    """The pass `torch_distill`."""

    name = "torch_distill"
    version = "1"
    params_type = TorchDistillParams
    function = "edgekit.passes._torch.distilling:distill"

    def _check(self, params: TorchDistillParams) -> None:
        factory_hint = 'name a function as in "package.module:function"'
        for name, is_wrong, hint in (
            *wrong(params),
            ("student", bool(params.student) and not Factory.is_one(params.student), factory_hint),
            ("teacher", bool(params.teacher) and not Factory.is_one(params.teacher), factory_hint),
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
