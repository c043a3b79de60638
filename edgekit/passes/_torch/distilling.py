"""Distillation in the child process: both models see a batch, their layers are listened to, the loss compares."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edgekit.core.errors import ConfigurationError, UnsupportedError
from edgekit.passes._torch import distillation_losses
from edgekit.passes._torch._losses import Loss, ends_in_sigmoid, rule, sum_to_one
from edgekit.passes._torch.facts import module_facts
from edgekit.passes._torch.fitting import Hooks, fit
from edgekit.passes._torch.listening import Listener, adapter, last_weighted
from edgekit.passes._torch.loading import Loaded, build, code_digest, example, give, load, run_once, save
from edgekit.passes._torch.samples import check, tensors
from edgekit.passes._torch.settings import settle
from edgekit.passes._torch.source import read_weights
from edgekit.passes._train.job import TrainingJob

_TRIED = 32


@dataclass(frozen=True, kw_only=True)
class Term:
    """One part of the loss beyond the scores.

    Attributes:
        weight: its factor.
        teacher, student: what is listened to in each model.
        is_adapted: the student's features pass a learned layer first.
        loss: of the teacher's features and the student's.
    """

    weight: float
    teacher: tuple[str, ...]
    student: tuple[str, ...]
    is_adapted: bool
    loss: Callable[[Sequence[Any], Sequence[Any]], Any]


def distill(job: dict[str, Any]) -> dict[str, Any]:
    """Train a student and write it; the artifact names the student's factory.

    Args:
        job: a `TrainingJob` with the parameters of `edgekit.passes.torch_distill.TorchDistillParams`; `extra` may hold
            "student_weights" or "teacher_weights", paths.

    Returns:
        What a `PassResult` holds.

    Raises:
        UnsupportedError: teacher and student give other shapes, or have several outputs.
        ConfigurationError: a factory cannot be called; a layer that is named is not there, or its features do not fit.
        VerificationError, InputError: as `source.read_weights`, `loading.give` and `fitting.fit`.
    """
    return _distill(TrainingJob(**job))


def _distill(job: TrainingJob) -> dict[str, Any]:
    params = job.params
    given = load(job.source)
    settle(params["seed"])
    check(job.x, given.inputs, name=given.factory)
    teacher, student = _models(given, job)
    examples = example(given.inputs, batch=2)
    answers = [run_once(model.module, examples, name=model.factory) for model in (teacher, student)]
    _check_alike(answers)
    teacher.module.requires_grad_(False)  # noqa: FBT003 - the library's own signature
    teacher.module.eval()
    terms = _terms(params, teacher, student, examples)
    listeners = [
        Listener(model.module, [name for term in terms for name in getattr(term, role)], whose=role)
        for role, model in (("teacher", teacher), ("student", student))
    ]
    for model, listener in zip((teacher, student), listeners, strict=True):
        listener.hear(model.module, examples)
    adapters = _adapters(terms, *listeners)
    loss = _loss(job, teacher, student, terms, listeners, adapters)
    fitted = fit(student.module, job, inputs=given.inputs, loss=loss, hooks=Hooks(beside=list(adapters.values())))
    save(student, job.output)
    small, large = (sum(each.numel() for each in model.module.parameters()) for model in (student, teacher))
    return {
        "notes": [f"The student has {small:,} parameters, its teacher {large:,}.", *fitted.notes],
        "inputs": [spec.as_json() for spec in student.inputs],
        "outputs": [spec.as_json() for spec in student.outputs],
        "facts": module_facts(student),
    }


def _models(given: Loaded, job: TrainingJob) -> tuple[Loaded, Loaded]:
    """Teacher and student."""
    params = job.params
    if params["teacher"]:
        return _other(given, params["teacher"], job.extra["teacher_weights"]), given
    if params["student"]:
        return given, _other(given, params["student"], job.extra.get("student_weights"))
    fresh = build(given.factory) if params["reinitialise"] else copy.deepcopy(given.module)
    if params["reinitialise"] and [each.shape for each in fresh.parameters()] != [
        each.shape for each in given.module.parameters()
    ]:
        raise ConfigurationError(
            f"torch_distill.reinitialise is true, and {given.factory} gives other shapes than the model has by now",
            hint="leave it out, or name the student",
        )
    return given, replace(given, module=fresh)


def _other(given: Loaded, factory: str, weights: str | None) -> Loaded:
    """A further model of the user's for the same samples."""
    from safetensors.torch import load_file

    module = build(factory)
    if weights is not None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "weights.safetensors"
            read_weights(weights, Path(weights).name, str(path))
            give(module, load_file(path), name=f"{factory} ({Path(weights).name})")
    return replace(given, module=module, factory=factory, code=code_digest(factory), extra={})


def _check_alike(answers: Sequence[Sequence[Any]]) -> None:
    shapes = [[tuple(each.shape)[1:] for each in one] for one in answers]
    if shapes[0] != shapes[1]:
        raise UnsupportedError(
            f"the teacher's outputs have the shapes {shapes[0]}, the student's {shapes[1]}",
            hint="distillation needs two models for the same samples and classes",
        )
    if len(answers[0]) != 1:
        raise UnsupportedError(
            f"the teacher has {len(answers[0])} outputs", hint="distillation takes models with one output"
        )


def _terms(params: Mapping[str, Any], teacher: Loaded, student: Loaded, examples: Sequence[Any]) -> list[Term]:
    hints: dict[str, str] = dict(params["hints"] or {})
    terms: list[Term] = []

    def term(names: tuple[str, ...], loss: Callable[..., Any], weight: float, *, is_adapted: bool) -> None:
        ours = tuple(hints.get(name, name) for name in names)
        terms.append(Term(weight=weight, teacher=names, student=ours, is_adapted=is_adapted, loss=loss))

    if "feature" in params["methods"]:
        for name in hints:
            term((name,), _feature, params["feature_weight"], is_adapted=True)
    if "relation_layers" in params["methods"]:
        for pair in params["flows"].items():
            term(pair, _flow, params["relation_weight"], is_adapted=True)
    if "relation_samples" in params["methods"]:
        if params["embedding"]:
            term((params["embedding"],), _samples, params["relation_weight"], is_adapted=False)
        else:
            heard = (f"<{last_weighted(model.module, examples)}" for model in (teacher, student))
            theirs, ours = ((name,) for name in heard)
            weight = params["relation_weight"]
            terms.append(Term(weight=weight, teacher=theirs, student=ours, is_adapted=False, loss=_samples))
    return terms


def _feature(teacher: Sequence[Any], student: Sequence[Any]) -> Any:
    return distillation_losses.feature(teacher[0], student[0])


def _flow(teacher: Sequence[Any], student: Sequence[Any]) -> Any:
    return distillation_losses.feature(
        distillation_losses.flow_matrix(*teacher), distillation_losses.flow_matrix(*student)
    )


def _samples(teacher: Sequence[Any], student: Sequence[Any]) -> Any:
    return distillation_losses.relation_of_samples(teacher[0], student[0])


def _adapters(terms: Sequence[Term], teacher: Listener, student: Listener) -> dict[tuple[str, str], Any]:
    """A learned layer from a student's features to the teacher's channels for each pair that is compared as such."""
    adapters: dict[tuple[str, str], Any] = {}
    for term in terms:
        for pair in zip(term.teacher, term.student, strict=True) if term.is_adapted else ():
            theirs, ours = teacher.heard[pair[0]], student.heard[pair[1]]
            if term.loss is _flow and theirs.dim() != 4:
                raise ConfigurationError(
                    f"the flow between two layers needs feature maps, and {pair[0]!r} gives {tuple(theirs.shape)[1:]}",
                    hint="name layers with channels, height and width",
                )
            adapters[pair] = adapter(ours, theirs, names=pair)
    return adapters


def _loss(
    job: TrainingJob,
    teacher: Loaded,
    student: Loaded,
    terms: Sequence[Term],
    listeners: Sequence[Listener],
    adapters: Mapping[tuple[str, str], Any],
) -> Loss:
    import torch

    params = job.params
    alpha = params["alpha"] if "response" in params["methods"] else 0.0
    hard = rule(student.module, job, student.inputs) if alpha < 1.0 else None
    score = _compared_scores(job, teacher, student) if alpha else None
    taught, learning = listeners

    def loss(module: Any, inputs: tuple[Any, ...], targets: Any) -> Any:
        with torch.no_grad():
            theirs = taught.hear(teacher.module, inputs)
        ours = learning.hear(module, inputs)
        total = 0.0 if hard is None else (1.0 - alpha) * hard(lambda *_inputs: ours, inputs, targets)
        if score is not None:
            total = total + alpha * score(theirs, ours)
        for term in terms:
            features = [
                adapters[pair](learning.heard[pair[1]]) if term.is_adapted else learning.heard[pair[1]]
                for pair in zip(term.teacher, term.student, strict=True)
            ]
            total = total + term.weight * term.loss([taught.heard[name] for name in term.teacher], features)
        return total

    return loss


def _compared_scores(job: TrainingJob, teacher: Loaded, student: Loaded) -> Callable[[Any, Any], Any]:
    """How two answers are compared: as softened scores of classifiers, else by the mean squared difference."""
    samples = tensors(job.x, student.inputs, slice(0, _TRIED))
    answers = [run_once(model.module, samples, name=model.factory)[0] for model in (teacher, student)]
    mirrors = job.y is None and answers[0].shape == samples[0].shape
    if answers[0].dim() > 2 or job.params["loss"] == "mse" or mirrors:
        return distillation_losses.feature
    teacher.module.requires_grad_(True)  # noqa: FBT003 - autograd's graph tells whether a sigmoid is last
    kinds = [
        sum_to_one(answer) or (answer[0].numel() == 1 and ends_in_sigmoid(model.module, samples))
        for model, answer in zip((teacher, student), answers, strict=True)
    ]
    teacher.module.requires_grad_(False)  # noqa: FBT003 - as above

    def compared(theirs: Any, ours: Any) -> Any:
        softened = [
            distillation_losses.logits(answer, are_probabilities=kind)
            for answer, kind in zip((theirs, ours), kinds, strict=True)
        ]
        return distillation_losses.response(softened[0], softened[1], job.params["temperature"])

    return compared
