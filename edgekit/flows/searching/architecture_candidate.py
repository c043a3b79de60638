"""Tries points of an architecture space: built, weighed up, trained by rungs, compiled, judged; the cheapest first."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from edgekit.core.errors import (
    ConfigurationError,
    DeadlineError,
    InputError,
    MeasurementError,
    UnsupportedError,
    UsageError,
)
from edgekit.core.search.halving import promotes
from edgekit.core.search.trial import Outcome, State
from edgekit.flows.searching.architecture import Net, Shapes, build_net, stop_if
from edgekit.flows.searching.findings import Findings
from edgekit.flows.searching.net_stages import NetStages
from edgekit.flows.searching.recipe_defaults import goals_for, limits_for
from edgekit.flows.searching.teacher import Teacher, teacher_of
from edgekit.flows.searching.trained import keep_trained, trained_artifact, trained_model
from edgekit.flows.searching.training_stage import Ladder, School, Trained

if TYPE_CHECKING:
    from edgekit.core.artifact import Artifact
    from edgekit.engines._base import Asked, Study
    from edgekit.flows.searching.request import Candidate, SearchRequest
    from edgekit.flows.searching.tools import Tools

_STAND_INS = {"instructions": "macs", "latency_ns": "macs"}
"""What is known before training in the place of what only a device tells."""

_CHECK_S = 300.0

_TRIALS_A_CHILD = 50
"""After so many trials the child processes begin anew: frameworks keep something of every graph."""


@contextmanager
def open_architecture_candidate(request: SearchRequest, tools: Tools) -> Iterator[Candidate]:
    """What tries the nets of a space.

    Args:
        request: with an `architecture`, training data with class labels, and evaluation data.
        tools: of the worker.

    Raises:
        UsageError: there is no evaluation data.
        InputError: there is no data to train on, or it has no classes.
        ConfigurationError: there is no such space.
        EdgekitError: the teacher cannot be read, or does not know these classes.
    """
    training = request.compile.training
    if training is None:
        raise InputError("a space of nets is trained, so it needs training data", hint="give it with --train-data")
    labels = training.class_labels
    if request.compile.evaluation is None:
        raise UsageError("a search compares accuracies", hint="give labelled samples with --eval-data")
    if labels is None or not len(labels):
        raise InputError(
            f"{training.name} has no classes to train on", hint="give class numbers from 0 on as labels, int64"
        )
    assert request.architecture is not None
    space = tools.workspace
    space.user_isolate.call(
        "edgekit.passes._train.architecture:check",
        {"space": request.architecture},
        what=f"looking for {request.architecture}",
        timeout_s=_CHECK_S,
    )
    classes = int(labels.max()) + 1
    teacher = teacher_of(request, training, classes, space)
    yield _ArchitectureCandidate(
        request=request,
        tools=tools,
        shapes=Shapes(
            inputs=tuple(array.shape[1:] for array in training.inputs),
            dtypes=tuple("float32" for _ in training.inputs),
            classes=classes,
        ),
        school=School(
            training=training,
            epochs=request.epochs,
            seed=request.compile.seed,
            tools=space,
            scores=None if teacher is None else teacher.scores,
        ),
        teacher=teacher,
        stages=NetStages(
            request=request,
            tools=tools,
            goals=request.goals or goals_for(request),
            limits=(*request.limits, *limits_for(request)),
            teacher=teacher,
        ),
    )


@dataclass(frozen=True, kw_only=True)
class _ArchitectureCandidate:
    """Tries nets; see `Candidate`."""

    request: SearchRequest
    tools: Tools
    shapes: Shapes
    school: School
    teacher: Teacher | None
    stages: NetStages
    _tried: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def try_(self, asked: Asked, study: Study, *, stopped: Callable[[], bool]) -> Outcome:
        """Try one net."""
        if next(self._tried) % _TRIALS_A_CHILD == 0:
            for child in (self.tools.workspace.isolate, self.tools.workspace.user_isolate):
                child.close()
        return _Trial(candidate=self, asked=asked, study=study, stopped=stopped).outcome()


class _Trial:
    """One net on its way."""

    def __init__(
        self, *, candidate: _ArchitectureCandidate, asked: Asked, study: Study, stopped: Callable[[], bool]
    ) -> None:
        self._candidate = candidate
        self._request, self._school, self._stages = candidate.request, candidate.school, candidate.stages
        self._asked, self._study, self._stopped = asked, study, stopped
        self._until = time.monotonic() + candidate.request.trial_timeout_s
        self._found = Findings(limits=candidate.stages.limits)
        self._blame = State.FAILED
        """What an error makes of the trial: FAILED where the space's function is to blame, else REFUSED."""

    def outcome(self) -> Outcome:
        """Try it.

        Raises:
            EdgekitError: of the device, the disk or the study, or the search has to stop.
        """
        found = self._found
        try:
            return self._tried()
        except (ConfigurationError, InputError, UnsupportedError) as error:
            return found.infeasible() or found.outcome(self._blame, error.message)
        except MeasurementError as error:
            return found.outcome(State.FAILED, error.message)
        except DeadlineError as late:
            if found.stage == "device":
                raise
            return found.outcome(State.FAILED, late.message)

    def _tried(self) -> Outcome:
        found, stages = self._found, self._stages
        with found.at("static"):
            net = self._built()
            self._blame = State.REFUSED
            stages.untrained(net, self._asked.params, found, self._stopped)
        if (outcome := found.infeasible()) is not None:
            return outcome
        self._blame = State.FAILED
        with found.at("proxies"):
            found.proxies |= self._school.proxies(net, timeout_s=self._left_s, stopped=self._stopped)
        with found.at("training"):
            trained = self._trained(net)
        if trained.path is None:
            return found.outcome(State.PRUNED, f"after {trained.given_up_at} epochs others were better")
        if trained.inherited:
            found.notes.append(f"It began with {trained.inherited:.0%} of its weights from a parent.")
        keep_trained(self._request.folder, self._asked.number, net, trained.path)
        stop_if(self._stopped)
        self._blame = State.REFUSED
        with found.at("static"):
            model = trained_model(self._request.folder, self._asked.number)
            tried = stages.compiled(model, self._asked.params, found)
        if (outcome := found.infeasible()) is not None:
            return outcome
        with found.at("accuracy"):
            stages.accuracy(tried, found)
        if (outcome := found.infeasible()) is not None:
            return outcome
        with found.at("device"):
            outcome = stages.device(tried, found, self._asked.params, self._study, self._stopped)
        return outcome or found.infeasible() or found.outcome(State.COMPLETE)

    @property
    def _left_s(self) -> float:
        """Time that is left, s.

        Raises:
            DeadlineError: none is.
        """
        if (left := self._until - time.monotonic()) <= 0:
            limit_s = self._request.trial_timeout_s
            raise DeadlineError(f"the trial took longer than {limit_s:g} s", hint="raise the limit with --timeout")
        return left

    def _built(self) -> Net:
        assert self._request.architecture is not None
        net = build_net(
            self._request.architecture,
            self._candidate.shapes,
            self._asked,
            self._candidate.tools.workspace,
            seed=self._request.compile.seed,
            timeout_s=self._left_s,
            stopped=self._stopped,
        )
        check_scores(net, self._candidate.shapes.classes, self._request.architecture)
        return net

    def _trained(self, net: Net) -> Trained:
        ladder = Ladder(self._study, self._asked.number, self._costs(), promotes)
        return self._school.train(
            net, parent=self._parent(net), go_on=ladder.goes_on, timeout_s=self._left_s, stopped=self._stopped
        )

    def _costs(self) -> list[float]:
        """Costs of the goals beside accuracy, as far as they are known before training."""
        values = self._found.values
        found = []
        for goal in self._stages.goals:
            metric = goal.metric if goal.metric in values else _STAND_INS.get(goal.metric, "")
            if metric in values and not goal.maximize:
                found.append(goal.cost(values[metric]))
        return found

    def _parent(self, net: Net) -> Artifact | None:
        """What the net inherits weights from: the given model; without one the most accurate net so far."""
        teacher = self._candidate.teacher
        if teacher is not None:
            return teacher.source if is_of_format(teacher.source, net.format) else None
        done = [
            (trial.outcome.values.get("accuracy", 0.0), -trial.number)
            for trial in self._study.trials()
            if trial.state is State.COMPLETE and trial.outcome is not None
        ]
        for _, number in sorted(done, reverse=True):
            parent = trained_artifact(self._request.folder, -number)
            if parent is not None and parent.format == net.format:
                return parent
        return None


def is_of_format(artifact: Artifact, net_format: str) -> bool:
    """Whether a net of a format can read a model's weights; models of both Keras generations are alike in this."""
    return artifact.format == net_format or (artifact.format == "keras" and net_format == "tf_keras")


def check_scores(net: Net, classes: int, space: str) -> None:
    """Refuse a net that cannot name all classes.

    Raises:
        UnsupportedError: it has several outputs, or too few scores.
    """
    shapes = [spec.shape[1:] for spec in net.outputs]
    if len(shapes) == 1 and (shapes[0] == (1,) if classes == 2 else False):
        return
    if len(shapes) != 1 or len(shapes[0]) != 1 or shapes[0][0] != classes:
        raise UnsupportedError(
            f"{space} gives a net that answers with {', '.join(str(list(shape)) for shape in shapes)}, the data has "
            f"{classes} classes",
            hint="let its only output be one score a class: trial.classes",
        )
