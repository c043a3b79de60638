"""Variants of a recipe tried on one model: each is run, judged against the accuracy budget and remembered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

from edgekit.core.artifact import Artifact
from edgekit.core.digest import sha256_json
from edgekit.core.events import Event
from edgekit.core.measurement import Accuracy, Score
from edgekit.core.metric import TOP_1, Metric
from edgekit.core.paired import CONFIDENCE, Losses, drop_verdict, judge_drop
from edgekit.core.recipe import Recipe, Step, StepRecord
from edgekit.core.registry import PASSES
from edgekit.core.verdict import Outcome, Verdict
from edgekit.flows.metrics import Meter
from edgekit.passes._base import PassContext

KEEP_FLOAT = "keep_float"
"""The parameter by which a quantizing pass leaves layers in float: regular expressions over their names."""

OPTIMIZE = "optimize"
"""The parameter by which a compiling pass says what it saves."""


@dataclass(frozen=True, kw_only=True)
class Budget:
    """How much accuracy may be lost.

    Attributes:
        max_drop: how much worse than the float model the artifact may be, in the metric's unit; top-1 runs 0 to 1.
        confidence: one-sided; how sure it has to be. 0.5 takes the drop as it was observed.
        metric: what may not be lost.
    """

    max_drop: float
    confidence: float = CONFIDENCE
    metric: Metric = TOP_1


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One variant and what came of it.

    Attributes:
        steps: the variant, without choices.
        settings: what was chosen, e.g. {"prune.sparsity": 0.9, "cluster": "left out"}.
        artifacts: the source, then one a step.
        records: one a step.
        accuracy: top-1 on the evaluation set; None where the metric does not take classes.
        losses: of the variant against the float model.
        verdict: the drop held against the budget.
        score: the metric of the budget, None for top-1.
    """

    steps: tuple[Step, ...]
    settings: Mapping[str, Any]
    artifacts: tuple[Artifact, ...]
    records: tuple[StepRecord, ...]
    accuracy: Accuracy | None
    losses: Losses
    verdict: Verdict
    score: Score | None = None

    @property
    def artifact(self) -> Artifact:
        """What the variant ends with."""
        return self.artifacts[-1]

    def as_json(self, confidence: float) -> dict[str, Any]:
        """The trial in a document."""
        return {
            "settings": dict(self.settings),
            "steps": [step.pass_name for step in self.steps],
            "size_bytes": self.artifact.size_bytes,
            "zip_bytes": self.artifact.zip_bytes,
            "accuracy": None if self.accuracy is None else self.accuracy.value,
            "metric": None if self.score is None else self.score.value,
            "n": self.losses.n,
            "drop": self.losses.drop,
            "drop_bound": self.losses.interval(confidence=confidence).high,
            "outcome": str(self.verdict.outcome),
            "sha256": self.artifact.digest,
        }


@dataclass(kw_only=True)
class Bench:
    """Where variants are tried; the same one is never run twice.

    Attributes:
        source: the user's model.
        reference: its float .tflite.
        meter: takes metrics, and knows the evaluation set, which has labels.
        budget: what a variant is judged by.
        trials: in the order in which they were run.
        goes_by_observation: nothing could be proven, so what was observed has to do.
    """

    source: Artifact
    reference: Artifact
    meter: Meter
    budget: Budget
    trials: list[Trial] = field(default_factory=list)
    goes_by_observation: bool = False
    _known: dict[str, Trial] = field(default_factory=dict)

    @property
    def needs_proof(self) -> bool:
        """Whether a variant has to be proven to be within the budget.

        A set that is too small to prove it even of a model without any change can only tell what was observed.
        """
        if self.goes_by_observation:
            return False
        return self.outcome(self.reference) is Outcome.PASS

    def holds(self, trial: Trial) -> bool:
        """Whether a trial counts as within the budget."""
        outcome = trial.verdict.outcome
        return outcome is Outcome.PASS or (outcome is Outcome.INCONCLUSIVE and not self.needs_proof)

    def chain(self, steps: Sequence[Step]) -> tuple[tuple[Artifact, ...], tuple[StepRecord, ...]]:
        """Run steps on the source; what was run before comes from the cache."""
        return run_steps(self.source, steps, self.meter.context)

    def run(self, steps: Sequence[Step], settings: Mapping[str, Any]) -> Trial:
        """Try one variant.

        Args:
            steps: without choices.
            settings: what was chosen, for people.
        """
        key = sha256_json([[step.pass_name, dict(step.params)] for step in steps])
        if key in self._known:
            return self._known[key]
        words = ", ".join(f"{name} {_short(value)}" for name, value in settings.items()) or "the recipe as it is"
        self.meter.tools.tell("budget", f"trial {len(self.trials) + 1}: {words}")
        artifacts, records = self.chain(steps)
        losses = self._losses(artifacts[-1])
        trial = Trial(
            steps=tuple(steps),
            settings=dict(settings),
            artifacts=artifacts,
            records=records,
            accuracy=self.meter.accuracy(artifacts[-1]),
            losses=losses,
            verdict=drop_verdict(
                losses, self.budget.max_drop, confidence=self.budget.confidence, metric=self.budget.metric
            ),
            score=self.meter.score(artifacts[-1]),
        )
        self._known[key] = trial
        self.trials.append(trial)
        return trial

    def outcome(self, artifact: Artifact) -> Outcome:
        """How one artifact stands to the budget."""
        return judge_drop(self._losses(artifact), self.budget.max_drop, confidence=self.budget.confidence)

    def _losses(self, artifact: Artifact) -> Losses:
        losses = self.meter.losses(self.reference, artifact)
        assert losses is not None
        return losses


def run_steps(
    source: Artifact, steps: Sequence[Step], context: PassContext
) -> tuple[tuple[Artifact, ...], tuple[StepRecord, ...]]:
    """Run steps one after the other.

    Returns:
        The source and one artifact a step; one record a step.
    """
    artifacts, records = [source], []
    for place, step in enumerate(steps):
        context.on_event(Event(phase="compile", message=step.pass_name, done=place, total=len(steps)))
        artifact, record = PASSES.load(step.pass_name).run(artifacts[-1], step.params, context)
        artifacts.append(artifact)
        records.append(record)
    return tuple(artifacts), tuple(records)


def choices(recipe: Recipe) -> int:
    """How many values the longest list of choices has; 1 for a recipe without any."""
    return max((len(values) for step in recipe.steps for values in step.choices.values()), default=1)


def settled(recipe: Recipe, place: int = 0) -> tuple[Step, ...]:
    """The steps with one value of each choice, the most aggressive at place 0, which is what runs without a budget."""
    return tuple(settled_step(step, place) for step in recipe.steps)


def settled_step(step: Step, place: int) -> Step:
    """A step with one value of its choices; beyond the end of a list its last one counts."""
    chosen = {name: values[min(place, len(values) - 1)] for name, values in step.choices.items()}
    return Step(pass_name=step.pass_name, params={**step.params, **chosen})


def quantizing_place(steps: Sequence[Step]) -> int | None:
    """Where the last step is that can leave layers in float; None where there is none."""
    places = [place for place, step in enumerate(steps) if takes(step.pass_name, KEEP_FLOAT)]
    return places[-1] if places else None


def takes(pass_name: str, parameter: str) -> bool:
    """Whether a pass has a parameter."""
    return parameter in {field.name for field in fields(PASSES.load(pass_name).params_type)}


def with_params(steps: Sequence[Step], place: int, **params: Any) -> tuple[Step, ...]:
    """The steps with other parameters at one place."""
    changed = replace(steps[place], params={**steps[place].params, **params})
    return (*steps[:place], changed, *steps[place + 1 :])


def _short(value: Any) -> str:
    return f"{len(value)} layers" if isinstance(value, list | tuple) else str(value)
