"""A study in Optuna's storage: what every engine shares, whatever proposes its points.

A trial of ours is one or more of Optuna's: each attempt is one, because a trial that runs cannot be begun again there.
Ours are counted by their first attempts, so that their numbers have no gaps. What was told is an attribute of the
attempt, written before its state is: a state that is finished is the commit, compared and set by the storage, so that
of two who conclude one attempt one is heard. An attempt that failed without an outcome was lost with its worker; the
next one names it in `after`, and where two processes wrote a next one at the same time the earlier one counts.
"""

from __future__ import annotations

import json
import time
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from edgekit.core.search.goals import Goal
from edgekit.core.search.space import Value, check_point, is_active
from edgekit.core.search.trial import Outcome, State, Trial
from edgekit.engines._base import Asked, Study, StudyPlan, Suggests
from edgekit.engines._distributions import distribution, suggest
from edgekit.engines._storage import load_optuna, quiet, translated

WORKER, OUTCOME, AFTER, NUMBER, ATTEMPT, WARM = (
    "edgekit:worker", "edgekit:outcome", "edgekit:after", "edgekit:number", "edgekit:attempt", "edgekit:warm",
)  # fmt: skip
_CONSTRAINT = "constraints:"
"""What `optuna.trial.Trial.set_constraint` writes (Optuna 5)."""
_IDENTITY, _KEPT = "edgekit:identity", "edgekit:kept:"
_OWNERLESS_S = 5.0
"""An attempt that runs without a worker's name for so long was begun by one that died at once."""


Point = Mapping[str, Value]

Begun = tuple[int, Any]
"""The number of a trial, and Optuna's trial of its attempt."""


class StoredStudy(Study):
    """A study whose trials are Optuna's; engines say which point is next.

    Args:
        plan: of the study.
        study: Optuna's.
    """

    def __init__(self, plan: StudyPlan, study: Any) -> None:
        self._plan = plan
        self._study = study
        self._storage = study._storage
        self._optuna = load_optuna()
        self._ownerless: dict[int, float] = {}
        self._keys: dict[int, str] = {}

    @abstractmethod
    def _new(self, worker: str) -> Begun | None:
        """Begin a new point; None when the space is exhausted."""

    def ask(self, worker: str) -> Asked | None:
        """See `Study`."""
        with translated(self._plan.storage), quiet():
            begun = self._waiting(worker) or self._new(worker)
            if begun is None:
                return None
            number, trial = begun
            return _Begun(number=number, attempts=trial.user_attrs.get(ATTEMPT, 1), trial=trial)

    def tell(self, number: int, outcome: Outcome) -> bool:
        """See `Study`."""
        with translated(self._plan.storage), quiet():
            attempt = self._attempts().get(number)
            if attempt is None or attempt.state.is_finished():
                return False
            outcome = _sound(outcome, self._plan.goals)
            try:
                self._storage.set_trial_user_attr(attempt._trial_id, OUTCOME, _packed(outcome))
                self._conclude(attempt, outcome)
            except (self._optuna.exceptions.UpdateFinishedTrialError, ValueError):
                return False
            return True

    def keep(self, name: str, value: Any) -> None:
        """See `Study`."""
        with translated(self._plan.storage):
            self._study.set_user_attr(_KEPT + name, json.dumps(value))

    def kept(self, prefix: str) -> Mapping[str, Any]:
        """See `Study`."""
        with translated(self._plan.storage):
            start, attrs = _KEPT + prefix, self._study.user_attrs
        return {name[len(_KEPT) :]: json.loads(value) for name, value in attrs.items() if name.startswith(start)}

    def trials(self) -> tuple[Trial, ...]:
        """See `Study`."""
        with translated(self._plan.storage):
            return tuple(_ours(number, attempt) for number, attempt in sorted(self._attempts().items()))

    def requeue(self, is_alive: Callable[[str], bool], *, most_attempts: int = 3) -> tuple[int, ...]:
        """See `Study`."""
        waiting = []
        with translated(self._plan.storage), quiet():
            for number, attempt in sorted(self._attempts().items()):
                if self._is_lost(attempt, is_alive) and self._again(number, attempt, most_attempts):
                    waiting.append(number)
        return tuple(waiting)

    def enqueue(self, points: Sequence[Mapping[str, Value]]) -> None:
        """See `Study`; points that are there already are not tried twice."""
        with translated(self._plan.storage), quiet():
            known = [dict(trial.params) for trial in self.trials()]
            for point in points:
                if self._plan.parameters:
                    check_point(self._plan.parameters, point)  # Optuna would draw another value and say nothing
                if dict(point) not in known:
                    self._study.enqueue_trial(dict(point))

    def importance(self, goal: Goal) -> Mapping[str, float]:
        """See `Study`; by PED-ANOVA (Watanabe, Bansal and Hutter, IJCAI 2023)."""
        place = self._plan.goals.index(goal)
        with translated(self._plan.storage), quiet():
            done = [t for t in self._frozen() if t.state.name == "COMPLETE" and len(t.params) > 0]
            if len(done) < 4 or len({t.values[place] for t in done}) < 2:
                return {}
            evaluator = self._optuna.importance.PedAnovaImportanceEvaluator()
            try:
                found = self._optuna.importance.get_param_importances(
                    self._study, evaluator=evaluator, target=lambda trial: goal.cost(trial.values[place])
                )
            except (ValueError, RuntimeError):  # a parameter that never varied, or that no two trials share
                return {}
        return {name: float(share) for name, share in found.items()}

    def close(self) -> None:
        """See `Study`."""
        self._storage.remove_session()
        getattr(self._storage, "_backend", self._storage).engine.dispose()

    def _frozen(self) -> list[Any]:
        frozen: list[Any] = self._study.get_trials(deepcopy=False)
        return frozen

    def _attempts(self) -> dict[int, Any]:
        """The last attempt of each of our trials, by number.

        Numbers count first attempts, from 0, in the order in which the storage took them. What an earlier study told is
        none of them, nor is a point that an earlier one has: two workers began it at once. Which are, follows from what
        each was written with, and nothing is ever written before it: so a number never changes.
        """
        last: dict[int, Any] = {}
        seen: set[str] = set()
        followed: set[int] = set()
        for frozen in self._frozen():
            after = frozen.user_attrs.get(AFTER)
            if frozen.user_attrs.get(WARM):
                continue
            if after is None and self._key(frozen) not in seen:
                last[len(last)] = frozen
                if self._plan.parameters:
                    seen.add(self._key(frozen))
            elif after is not None and after not in followed:  # a second process may have written it too
                followed.add(after)
                last[frozen.user_attrs[NUMBER]] = frozen
        return last

    def _key(self, frozen: Any) -> str:
        """Of the point that a first attempt was written with."""
        if frozen.number not in self._keys:
            self._keys[frozen.number] = key(frozen.system_attrs.get("fixed_params", frozen.params))
        return self._keys[frozen.number]

    def _tried(self) -> set[str]:
        """Keys of the points that were begun or wait."""
        return {self._key(frozen) for frozen in self._frozen() if not frozen.user_attrs.keys() & {WARM, AFTER}}

    def _waiting(self, worker: str) -> Begun | None:
        """Begin what waits, the earliest first."""
        for number, attempt in sorted(self._attempts().items()):
            if attempt.state.name != "WAITING":
                continue
            running = self._optuna.trial.TrialState.RUNNING
            if not self._storage.set_trial_state_values(attempt._trial_id, state=running):
                continue  # another worker was faster
            self._storage.set_trial_user_attr(attempt._trial_id, WORKER, worker)
            self._prepare(number)
            trial = self._optuna.trial.Trial(self._study, attempt._trial_id)
            self._suggest_declared(trial)
            return number, trial
        return None

    def _prepare(self, number: int) -> None:
        """Make ready to suggest for a trial."""

    def _begin(self, worker: str, **given: Any) -> Begun | None:
        """A running trial that has a worker, and what else is given, from its first moment.

        Returns:
            None where another trial has its point already.
        """
        template = self._optuna.trial.create_trial(
            state=self._optuna.trial.TrialState.RUNNING, user_attrs={WORKER: worker}, **given
        )
        trial_id = self._storage.create_new_trial(self._study._study_id, template_trial=template)
        for number, attempt in reversed(self._attempts().items()):
            if attempt._trial_id == trial_id:
                if given:
                    self._study.sampler = self._optuna.samplers.RandomSampler()  # nothing is left to propose
                else:
                    self._prepare(number)
                return number, self._optuna.trial.Trial(self._study, trial_id)
        self._study.tell(self._storage.get_trial(trial_id).number, state=self._optuna.trial.TrialState.FAIL)
        return None

    def _suggest_declared(self, trial: Any) -> dict[str, Value]:
        """Suggest every declared parameter that counts."""
        point: dict[str, Value] = {}
        for parameter in self._plan.parameters:
            if is_active(parameter, point):
                point[parameter.name] = suggest(trial, parameter)
        return point

    def _conclude(self, attempt: Any, outcome: Outcome) -> None:
        states = self._optuna.trial.TrialState
        state = {State.COMPLETE: states.COMPLETE, State.PRUNED: states.PRUNED, State.INFEASIBLE: states.PRUNED}.get(
            outcome.state, states.FAIL
        )
        values = None
        if outcome.state in (State.COMPLETE, State.INFEASIBLE) and all(
            goal.metric in outcome.values for goal in self._plan.goals
        ):
            state, values = states.COMPLETE, [outcome.values[goal.metric] for goal in self._plan.goals]
        if state is not states.FAIL:
            limits = [limit.metric for limit in self._plan.limits]
            for metric, value in violations(outcome, limits).items():
                self._storage.set_trial_system_attr(attempt._trial_id, _CONSTRAINT + metric, value)
        self._study.tell(attempt.number, values, state=state)

    def _is_lost(self, attempt: Any, is_alive: Callable[[str], bool]) -> bool:
        if attempt.state.name == "FAIL":
            return OUTCOME not in attempt.user_attrs
        if attempt.state.name != "RUNNING":
            return False
        worker = attempt.user_attrs.get(WORKER)
        if worker is None:
            seen = self._ownerless.setdefault(attempt.number, time.monotonic())
            return time.monotonic() - seen >= _OWNERLESS_S
        return not is_alive(worker)

    def _again(self, number: int, attempt: Any, most_attempts: int) -> bool:
        """Give a lost attempt a next one; False where it has failed for good, or is concluded."""
        if OUTCOME in attempt.user_attrs:  # its worker died between writing it and saying so
            self.tell(number, unpacked(attempt.user_attrs[OUTCOME]))
            return False
        tries = attempt.user_attrs.get(ATTEMPT, 1)
        if tries >= most_attempts:
            reason = f"its worker died {tries} times"
            self.tell(number, Outcome(state=State.FAILED, reason=reason))
            return False
        if attempt.state.name == "RUNNING":
            failed = self._optuna.trial.TrialState.FAIL
            try:
                self._storage.set_trial_state_values(attempt._trial_id, state=failed)
            except self._optuna.exceptions.UpdateFinishedTrialError:
                return False
        given = attempt.system_attrs.get("fixed_params", {}) | attempt.params
        attrs = {AFTER: attempt.number, NUMBER: number, ATTEMPT: tries + 1}
        self._study.enqueue_trial(given, user_attrs=attrs)
        return True


class _Begun(Asked):
    def __init__(self, *, number: int, attempts: int, trial: Any) -> None:
        self.number, self.attempts, self._trial = number, attempts, trial

    @property
    def params(self) -> Mapping[str, Value]:
        return dict(self._trial.params)

    @property
    def suggests(self) -> Suggests:
        suggests: Suggests = self._trial
        return suggests


def key(point: Point) -> str:
    """The same text for the same point; 1, 1.0 and True differ."""
    return repr(sorted(point.items()))


def identity_of(study: Any) -> Mapping[str, Any] | None:
    """What a study was made for; None for one that nobody has marked yet."""
    text = study.user_attrs.get(_IDENTITY)
    return None if text is None else dict(json.loads(text))


def mark(study: Any, identity: Mapping[str, Any]) -> None:
    """Say what a study was made for."""
    study.set_user_attr(_IDENTITY, json.dumps(dict(identity), sort_keys=True))


def violations(outcome: Outcome, limits: Sequence[str]) -> dict[str, float]:
    """How far an outcome is beyond each limit, and whether it is beyond any for a reason without a figure."""
    found = {metric: float(outcome.violations.get(metric, 0.0)) for metric in limits}
    unnamed = outcome.state is State.INFEASIBLE and not any(value > 0 for value in found.values())
    return {**found, "other": 1.0 if unnamed else 0.0}


def add_warm(study: Any, optuna: Any, trials: Sequence[Trial], plan: StudyPlan) -> None:
    """Tell what earlier studies found of points of this space; they count for the sampler alone."""
    distributions = {parameter.name: distribution(optuna, parameter) for parameter in plan.parameters}
    for trial in trials:
        values = None if trial.outcome is None else trial.outcome.values
        if values is None or trial.state is not State.COMPLETE:
            continue
        if not all(goal.metric in values for goal in plan.goals) or not set(trial.params) <= set(distributions):
            continue
        known = {name: distributions[name] for name in trial.params}
        if all(_contains(known[name], value) for name, value in trial.params.items()):
            study.add_trial(
                optuna.trial.create_trial(
                    params=dict(trial.params),
                    distributions=known,
                    values=[values[goal.metric] for goal in plan.goals],
                    user_attrs={WARM: True},
                    system_attrs={_CONSTRAINT + limit.metric: 0.0 for limit in plan.limits},
                )
            )


def _contains(known: Any, value: Value) -> bool:
    try:
        return bool(known._contains(known.to_internal_repr(value)))
    except (ValueError, TypeError):
        return False


def _sound(outcome: Outcome, goals: Sequence[Goal]) -> Outcome:
    """An outcome whose goals are numbers; else it has failed, and says which is none."""
    if outcome.state is not State.COMPLETE:
        return outcome
    for goal in goals:
        value = outcome.values.get(goal.metric)
        if value is None or value != value or value in (float("inf"), float("-inf")):
            said = "is not known" if value is None else f"is {value}"
            values = {name: each for name, each in outcome.values.items() if each == each and abs(each) != float("inf")}
            changed = asdict(outcome) | {
                "state": State.FAILED, "values": values, "reason": f"{goal.metric} {said}", "intervals": {},
            }  # fmt: skip
            return Outcome(**changed)
    return outcome


def _packed(outcome: Outcome) -> str:
    given = asdict(outcome)
    given["measured"] = sorted(outcome.measured)
    return json.dumps(given, sort_keys=True)


def unpacked(text: str) -> Outcome:
    """The outcome that an attribute holds."""
    given = json.loads(text)
    given["state"] = State(given["state"])
    given["measured"] = frozenset(given["measured"])
    given["intervals"] = {name: (low, high) for name, (low, high) in given["intervals"].items()}
    for name in ("steps", "flags", "notes"):
        given[name] = tuple(given[name])
    return Outcome(**given)


def _ours(number: int, attempt: Any) -> Trial:
    text = attempt.user_attrs.get(OUTCOME) if attempt.state.is_finished() else None
    outcome = None if text is None else unpacked(text)
    state = State.WAITING  # a lost attempt waits to be requeued
    if outcome is not None:
        state = outcome.state
    elif attempt.state.name == "RUNNING":
        state = State.RUNNING
    began, ended = attempt.datetime_start, attempt.datetime_complete
    return Trial(
        number=number,
        params=dict(attempt.params or attempt.system_attrs.get("fixed_params", {})),
        state=state,
        outcome=outcome,
        worker=attempt.user_attrs.get(WORKER, ""),
        attempts=attempt.user_attrs.get(ATTEMPT, 1),
        began=None if began is None else began.timestamp(),
        ended=None if ended is None or outcome is None else ended.timestamp(),
    )
