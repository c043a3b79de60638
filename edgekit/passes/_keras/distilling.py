"""Distillation in the child process: the student answers with scores and features, the loss asks the teacher."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edgekit.core.errors import ConfigurationError, UnsupportedError
from edgekit.passes._keras import _losses, distillation_losses
from edgekit.passes._keras.fitting import fit, set_seed
from edgekit.passes._keras.loading import load_tf_keras, save_tf_keras
from edgekit.passes._keras.students import narrowed
from edgekit.passes._train.job import TrainingJob

_SAMPLES_TO_COMPARE = 8


@dataclass(frozen=True, kw_only=True)
class Term:
    """One part of the loss.

    Attributes:
        weight: its factor.
        teacher, student: places of the features in the answers of both models.
        loss: of the teacher's features and the student's.
    """

    weight: float
    teacher: tuple[int, ...]
    student: tuple[int, ...]
    loss: Callable[[Sequence[Any], Sequence[Any]], Any]


def distill(job: dict[str, Any]) -> dict[str, Any]:
    """Train a student and write it.

    Args:
        job: a `TrainingJob` with the parameters of `edgekit.passes.distill.DistillParams`; `extra` may hold "student"
            or "teacher", each {"source", "source_format"}.

    Raises:
        UnsupportedError: teacher and student take or give other shapes.
        ConfigurationError: a layer that is named is not there, or its features do not fit the other's.
    """
    return _distill(TrainingJob(**job))


def _distill(job: TrainingJob) -> dict[str, Any]:
    import tf_keras

    params = job.params
    set_seed(params["seed"])
    teacher, student = _models(job)
    _check_alike(teacher, student)
    terms, teacher_layers, student_layers = _terms(params, teacher, student)
    asked = tf_keras.Model(teacher.inputs, [teacher.outputs[0], *(_output(teacher, name) for name in teacher_layers)])
    asked.trainable = False
    features = [_output(student, name) for name in student_layers]
    features = _adapted(features, [_output(teacher, name) for name in teacher_layers], terms, student_layers)
    learner = _learner(student, features, asked, terms, job)
    fitted = fit(learner, job, compiled=True)
    save_tf_keras(student, job.output)
    small, large = student.count_params(), teacher.count_params()
    return {"notes": [f"the student has {small:,} parameters, its teacher {large:,}", *fitted.notes]}


def _models(job: TrainingJob) -> tuple[Any, Any]:
    """Teacher and student, the student with names of layers of its own choice."""
    samples = [array[:_SAMPLES_TO_COMPARE] for array in job.x]
    model = load_tf_keras(job.source, job.source_format, samples)
    if named := job.extra.get("teacher"):
        return load_tf_keras(**named, samples=samples), model
    if named := job.extra.get("student"):
        return model, load_tf_keras(**named, samples=samples)
    student = narrowed(model, job.params["width"])
    if job.params["width"] == 1.0 and not job.params["reinitialise"]:
        student.set_weights(model.get_weights())
    return model, student


def _check_alike(teacher: Any, student: Any) -> None:
    for what in ("inputs", "outputs"):
        shapes = [[tuple(tensor.shape)[1:] for tensor in getattr(model, what)] for model in (teacher, student)]
        if shapes[0] != shapes[1]:
            raise UnsupportedError(
                f"the teacher's {what} have the shapes {shapes[0]}, the student's {shapes[1]}",
                hint="distillation needs two models for the same samples and classes",
            )
    if len(teacher.outputs) != 1:
        raise UnsupportedError(
            f"the teacher has {len(teacher.outputs)} outputs", hint="distillation takes models with one output"
        )


def _output(model: Any, name: str) -> Any:
    try:
        return model.get_layer(name).output
    except ValueError as cause:
        names = ", ".join(layer.name for layer in model.layers)
        raise ConfigurationError(f"there is no layer {name!r}", hint=f"the model's layers are: {names}") from cause


def _terms(params: Mapping[str, Any], teacher: Any, student: Any) -> tuple[list[Term], list[str], list[str]]:
    """The parts of the loss beyond the scores, and the layers whose features they take from each model."""
    hints: dict[str, str] = dict(params["hints"] or {})
    terms: list[Term] = []
    ours: list[str] = []
    theirs: list[str] = []

    def place(name: str) -> int:
        """Where the features of a teacher's layer and of its counterpart stand in the answers."""
        if name not in theirs:
            theirs.append(name)
            ours.append(hints.get(name, name))
        return theirs.index(name)

    if "feature" in params["methods"]:
        for name in hints:
            at = (place(name),)
            terms.append(Term(weight=params["feature_weight"], teacher=at, student=at, loss=_feature))
    if "relation_layers" in params["methods"]:
        for first, second in params["flows"].items():
            at_both = (place(first), place(second))
            terms.append(Term(weight=params["relation_weight"], teacher=at_both, student=at_both, loss=_flow))
    if "relation_samples" in params["methods"]:
        embedding = params["embedding"]
        if embedding:
            at = (place(embedding),)
        else:
            theirs.append(_embedding(teacher))
            ours.append(_embedding(student))
            at = (len(theirs) - 1,)
        terms.append(Term(weight=params["relation_weight"], teacher=at, student=at, loss=_samples))
    return terms, theirs, ours


def _feature(teacher: Sequence[Any], student: Sequence[Any]) -> Any:
    return distillation_losses.feature(teacher[0], student[0])


def _flow(teacher: Sequence[Any], student: Sequence[Any]) -> Any:
    return distillation_losses.feature(
        distillation_losses.flow_matrix(*teacher), distillation_losses.flow_matrix(*student)
    )


def _samples(teacher: Sequence[Any], student: Sequence[Any]) -> Any:
    return distillation_losses.relation_of_samples(teacher[0], student[0])


def _embedding(model: Any) -> str:
    """Name of the layer before the last one with weights."""
    last = next(layer for layer in reversed(model.layers) if layer.weights)
    before = last.inbound_nodes[-1].inbound_layers
    if isinstance(before, list):
        raise ConfigurationError(
            f"layer {last.name!r} has several inputs", hint='say which layer to compare: embedding = "NAME"'
        )
    return str(before.name)


def _adapted(features: list[Any], wanted: list[Any], terms: Sequence[Term], names: Sequence[str]) -> list[Any]:
    """Features with the teacher's channels: a learned linear layer behind each that is compared with the teacher's."""
    import tf_keras

    compared = {place for term in terms if term.loss is not _samples for place in term.student}
    adapted = list(features)
    for place in sorted(compared):
        ours, theirs = features[place], wanted[place]
        sizes = tuple(ours.shape)[1:-1], tuple(theirs.shape)[1:-1]
        if sizes[0] != sizes[1]:
            raise ConfigurationError(
                f"layer {names[place]!r} of the student gives {tuple(ours.shape)[1:]}, the teacher's counterpart "
                f"{tuple(theirs.shape)[1:]}",
                hint="compare layers of the same height and width",
            )
        adapted[place] = tf_keras.layers.Dense(theirs.shape[-1], use_bias=False, name=f"adapter_{place}")(ours)
    for term in terms:
        if term.loss is _flow and any(len(wanted[place].shape) != 4 for place in term.teacher):
            raise ConfigurationError(
                "the flow between two layers needs feature maps", hint="name layers with height, width and channels"
            )
    return adapted


def _learner(student: Any, features: list[Any], teacher: Any, terms: Sequence[Term], job: TrainingJob) -> Any:
    """The student with its features as a model whose loss asks the teacher; compiled."""
    import tf_keras

    params = job.params
    alpha = params["alpha"] if "response" in params["methods"] else 0.0
    hard = None if alpha == 1.0 else _hard_loss(student, job)
    score_kinds = [_losses.ends_in(model) is None for model in (teacher_scores(teacher), student)]
    compares_scores = "response" in params["methods"] and _is_classifier(student, job)

    mean_loss = tf_keras.metrics.Mean(name="loss")

    def ask(inputs: Any) -> list[Any]:
        answer = teacher(inputs, training=False)
        return list(answer) if isinstance(answer, (list, tuple)) else [answer]

    class Learner(tf_keras.Model):  # type: ignore[misc]  # the library has no types
        def compute_loss(self, x: Any = None, y: Any = None, y_pred: Any = None, _weight: Any = None) -> Any:
            ours = list(y_pred) if isinstance(y_pred, (list, tuple)) else [y_pred]
            theirs = ask(x)
            loss = 0.0 if hard is None else (1.0 - alpha) * hard(y, ours[0])
            if alpha and compares_scores:
                softened = [
                    distillation_losses.logits(scores, are_logits=kind)
                    for scores, kind in zip((theirs[0], ours[0]), score_kinds, strict=True)
                ]
                taught, learned = softened
                loss += alpha * distillation_losses.response(taught, learned, params["temperature"])
            elif alpha:
                loss += alpha * distillation_losses.feature(theirs[0], ours[0])
            for term in terms:
                loss += term.weight * term.loss(
                    [theirs[1 + place] for place in term.teacher], [ours[1 + place] for place in term.student]
                )
            mean_loss.update_state(loss)
            return loss

        def compute_metrics(self, *_of_the_batch: Any) -> dict[str, Any]:
            return {"loss": mean_loss.result()}

        @property
        def metrics(self) -> list[Any]:
            return [mean_loss]  # Keras sets them back at the start of each epoch

    learner = Learner(student.inputs, [student.outputs[0], *features] if features else student.outputs[0])
    learner.compile(optimizer=_losses.make_optimizer(params["optimizer"], params["learning_rate"]))
    return learner


def teacher_scores(asked: Any) -> Any:
    """The teacher as a model of its scores alone."""
    import tf_keras

    return tf_keras.Model(asked.inputs, asked.outputs[0])


def _is_classifier(student: Any, job: TrainingJob) -> bool:
    return (
        len(student.outputs[0].shape) == 2 and job.params["loss"] != "mse" and not _mirrors_without_labels(student, job)
    )


def _mirrors_without_labels(student: Any, job: TrainingJob) -> bool:
    return job.y is None and tuple(student.outputs[0].shape) == tuple(student.inputs[0].shape)


def _hard_loss(student: Any, job: TrainingJob) -> Callable[[Any, Any], Any]:
    """The loss of the labels, checked as for every training."""
    import tensorflow as tf

    targets = _losses.prepare(student, job, compiled=False)
    loss = student.loss

    def hard(y: Any, scores: Any) -> Any:
        if targets.ndim == len(scores.shape) and y.shape.rank != len(scores.shape):
            y = tf.cast(y, scores.dtype)[:, None]
        return loss(y, scores)

    return hard
