"""The smallest artifact within an accuracy budget: choices of a recipe by bisection, sensitive layers left in float."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from edgekit.core.artifact import Artifact
from edgekit.core.errors import GateFailedError
from edgekit.core.recipe import Recipe, Step
from edgekit.core.verdict import Outcome
from edgekit.flows.sensitivity import Layer, Sensitivity, exactly, layers, rank
from edgekit.flows.trials import KEEP_FLOAT, Bench, Trial, quantizing_place, settled_step, takes, with_params

KEEP_INT16 = "keep_int16"
"""The parameter by which a quantizing pass gives layers int16 activations and leaves their weights in int8."""
_LEFT_OUT = "left out"
_IO, _FLOAT_IO = "io", "float32"
_FLOAT_BYTES, _INT8_BYTES = 4, 1


@dataclass(frozen=True, kw_only=True)
class Kept:
    """A layer that int8 was taken back from.

    Attributes:
        layer: the layer.
        form: "float32", or "int16" for int16 activations with int8 weights.
        cost_bytes: what its weights take more than in int8; `Found.cost_bytes` has the whole file's, as measured.
    """

    layer: Layer
    form: str
    cost_bytes: int

    def as_json(self) -> dict[str, Any]:
        """The layer in a document."""
        return {
            "name": self.layer.name,
            "op": self.layer.op,
            "form": self.form,
            "weights": self.layer.weights,
            "macs": self.layer.macs,
            "cost_bytes": self.cost_bytes,
        }


@dataclass(frozen=True, kw_only=True)
class Found:
    """What a search ended with.

    Attributes:
        trial: the variant that is taken.
        trials: all variants, in the order in which they were run.
        kept: layers that are not in int8.
        kept_weights, kept_macs: their share of all weights and multiply-accumulates of the layers, 0 to 1.
        cost_bytes: what the file grew by, against every layer in int8.
        sensitivities: the ranking, the most sensitive first; empty where it was not needed.
        warnings: what to know, one sentence each.
        plain: the same with every layer in int8, which the cost in time is held against; None where no layer is kept.
    """

    trial: Trial
    trials: tuple[Trial, ...]
    kept: tuple[Kept, ...] = ()
    kept_weights: float = 0.0
    kept_macs: float = 0.0
    cost_bytes: int = 0
    sensitivities: tuple[Sensitivity, ...] = ()
    warnings: tuple[str, ...] = ()
    plain: Artifact | None = None


def search(recipe: Recipe, bench: Bench) -> Found:
    """Find the variant of a recipe with the fewest zipped bytes within the budget.

    Without choices that is the recipe itself, with the shortest list of layers left in float that keeps the budget.
    With choices (`Step.choices`) the steps that have some are left out first, and taken in one after the other, each
    with the most aggressive value that still keeps the budget with all steps without choices applied; then each goes
    further or less far where that leads to fewer bytes with the ones behind it in place.

    Args:
        recipe: what is to be done.
        bench: the model, the evaluation set and the budget.

    Raises:
        GateFailedError: no variant keeps the budget; the message tells the best one and the layer that blocks.
    """
    return _Search(recipe=recipe, bench=bench).run()


@dataclass(kw_only=True)
class _Search:
    recipe: Recipe
    bench: Bench
    kept: tuple[Kept, ...] = ()
    ranking: tuple[Sensitivity, ...] = ()
    shares: tuple[float, float] = (0.0, 0.0)
    cost_bytes: int = 0
    float_io: bool = False
    _layers: tuple[Layer, ...] = ()
    _variants: list[Trial] = field(default_factory=list)

    def run(self) -> Found:
        base = self._base()
        if not self.bench.holds(base):
            self._revert(base)
        self._choices()
        best = self._best()
        return Found(
            trial=best,
            trials=tuple(self.bench.trials),
            kept=self.kept,
            kept_weights=self.shares[0],
            kept_macs=self.shares[1],
            cost_bytes=self.cost_bytes,
            sensitivities=self.ranking,
            warnings=tuple(self._warnings(best)),
            plain=self._plain(best),
        )

    def _plain(self, best: Trial) -> Artifact | None:
        """The variant that is taken with no more layers kept than the recipe itself keeps."""
        place, own = quantizing_place(best.steps), quantizing_place(self.recipe.steps)
        if not self.kept or place is None or own is None:
            return None
        asked = self.recipe.steps[own].params
        lists = {name: asked.get(name, ()) for name in (KEEP_FLOAT, KEEP_INT16) if name in best.steps[place].params}
        artifacts, _ = self.bench.chain(with_params(best.steps, place, **lists))
        return artifacts[-1]

    def _best(self) -> Trial:
        """The fewest zipped bytes, then the fewest bytes, then the least that is lost, then the fewest steps."""

        def cost(trial: Trial) -> tuple[float, ...]:
            return trial.artifact.zip_bytes, trial.artifact.size_bytes, trial.losses.drop, len(trial.steps)

        return min((trial for trial in self._variants if self.bench.holds(trial)), key=cost)

    def _warnings(self, best: Trial) -> list[str]:
        found = []
        if self.float_io:
            found.append("inputs and outputs are float32: what comes in does not survive int8; is the data scaled?")
        if best.verdict.outcome != "pass":
            found.append(f"the accuracy budget is kept, but not proven: {best.verdict.reason}")
        return found

    def _choices(self) -> None:
        """Take in the steps with choices one after the other; then see whether another start leads further.

        A step is judged before the later ones have trained. What those win back lets it go further, and where they
        would save more than it does, it makes room for them.
        """
        places = [place for place, step in enumerate(self.recipe.steps) if step.choices]
        chosen = self._stack(places, dict.fromkeys(places))
        for place in places[:-1]:
            later = [other for other in places if other > place]
            if any(chosen[other] is not None for other in later):
                chosen = self._moved(place, -1, chosen, later)
            chosen = self._moved(place, 1, chosen, later)

    def _moved(self, place: int, by: int, chosen: dict[int, int | None], later: Sequence[int]) -> dict[int, int | None]:
        """One step's value further along its list for as long as that saves bytes, the later ones chosen anew."""
        values = _count(self.recipe.steps[place])
        while True:
            value = chosen[place]
            at = (values if value is None else value) + by
            if not 0 <= at <= values:
                return chosen
            moved = {**chosen, place: at if at < values else None, **dict.fromkeys(later)}
            moved = self._stack(later, moved)
            trial = self._variant(moved)
            if not self.bench.holds(trial) or trial.artifact.zip_bytes >= self._variant(chosen).artifact.zip_bytes:
                return chosen
            chosen = moved

    def _stack(self, places: Sequence[int], chosen: Mapping[int, int | None]) -> dict[int, int | None]:
        """For each place in turn the most aggressive value that keeps the budget, None where none does."""
        result = dict(chosen)
        for place in places:
            values = _count(self.recipe.steps[place])
            fails, holds = -1, values  # from the most aggressive that is known to fail to the least that holds
            while holds - fails > 1:
                middle = (fails + holds) // 2
                if self.bench.holds(self._variant({**result, place: middle})):
                    holds = middle
                else:
                    fails = middle
            result[place] = holds if holds < values else None
        return result

    def _variant(self, chosen: Mapping[int, int | None]) -> Trial:
        steps, settings = [], {}
        for place, step in enumerate(self.recipe.steps):
            value = chosen.get(place)
            if not step.choices:
                steps.append(step)
            elif value is None:
                settings[step.pass_name] = _LEFT_OUT
            else:
                steps.append(settled_step(step, value))
                settings |= {f"{step.pass_name}.{name}": values[value] for name, values in step.choices.items()}
        trial = self.bench.run(self._keeping(steps), settings)
        self._variants.append(trial)
        return trial

    def _keeping(self, steps: Sequence[Step]) -> tuple[Step, ...]:
        """The steps with the layers that are kept, under the names that they have behind the steps before."""
        place = quantizing_place(steps)
        if place is not None and self.float_io:
            steps = with_params(steps, place, io=_FLOAT_IO)
        if place is None or not self.kept:
            return tuple(steps)
        artifacts, _ = self.bench.chain(steps[:place])
        now = layers(artifacts[-1], self.bench.meter)
        same = [layer.op for layer in now] == [layer.op for layer in self._layers]  # a rebuilt model has other names
        names = {old.name: new.name if same else old.name for old, new in zip(self._layers, now, strict=False)}
        known = {layer.name for layer in now}
        forms: dict[str, list[str]] = {"float32": [], "int16": []}
        for kept in self.kept:
            name = names.get(kept.layer.name, kept.layer.name)
            forms[kept.form] += [name] if name in known else []
        return _kept_steps(steps, place, forms["float32"], forms["int16"])

    def _base(self) -> Trial:
        return self._variant(dict.fromkeys(place for place, step in enumerate(self.recipe.steps) if step.choices))

    def _revert(self, base: Trial) -> None:
        """Rank the layers, and leave the shortest list of them in float.

        Where no list can be proven to keep the budget, the one that was observed to keep it is taken.

        Raises:
            GateFailedError: no list that leaves a layer with weights in int8 keeps the budget.
        """
        place = quantizing_place(base.steps)
        if place is None:
            raise self._unmet()
        self._check_before(base, place)
        needed = self._needed(base, place)
        if needed is None and self._has_integer_io(base.steps[place]):
            base = self._float_io(base, place)
            needed = () if self.bench.holds(base) else self._needed(base, place)
        if needed is None and self.bench.needs_proof:
            self.bench.goes_by_observation = True
            needed = () if self.bench.holds(base) else self._shortest(base, place)
        if needed is None:
            raise self._unmet()
        if needed:
            self._remember(base, place, needed)
        self._base()

    def _check_before(self, base: Trial, place: int) -> None:
        """Refuse a chain that is over the budget before it is quantized: no layer in float can win that back."""
        budget = self.bench.budget
        for step, artifact in zip(base.steps[:place], base.artifacts[1:], strict=False):
            if self.bench.outcome(artifact) is Outcome.FAIL:
                losses = self.bench.meter.losses(self.bench.reference, artifact)
                assert losses is not None
                raise GateFailedError(
                    f"{self._cannot_keep} the float model's: after step {step.pass_name!r}, still in float, "
                    f"{losses.amount(losses.drop)} are lost",
                    hint=f"let {step.pass_name} do less or train longer, or allow a larger --max-drop",
                    trials=[trial.as_json(budget.confidence) for trial in self.bench.trials],
                )

    def _needed(self, base: Trial, place: int) -> tuple[str, ...] | None:
        prefix, meter = base.artifacts[place], self.bench.meter
        self._layers = layers(prefix, meter)
        self.ranking = rank(prefix, base.steps[place], meter, reference=self.bench.reference)
        return self._shortest(base, place)

    def _has_integer_io(self, step: Step) -> bool:
        return takes(step.pass_name, _IO) and step.params.get(_IO) != _FLOAT_IO

    def _float_io(self, base: Trial, place: int) -> Trial:
        """The same with float inputs and outputs: a range of inputs that int8 cannot hold is lost before any layer."""
        self.float_io = True
        name = f"{base.steps[place].pass_name}.{_IO}"
        return self.bench.run(with_params(base.steps, place, io=_FLOAT_IO), {**base.settings, name: _FLOAT_IO})

    def _shortest(self, base: Trial, place: int) -> tuple[str, ...] | None:
        """The shortest list of layers that keeps the budget, None where none does.

        It is first the shortest beginning of the ranking that does, by bisection; then each layer that turns out not
        to be needed is dropped from it, the least sensitive first.
        """
        names = [entry.layer.name for entry in self.ranking]
        longest = self._longest()
        fails, holds = 0, longest + 1
        while holds - fails > 1:
            middle = (fails + holds) // 2
            if self._holds(base, place, names[:middle]):
                holds = middle
            else:
                fails = middle
        if holds > longest:
            return None
        needed = names[:holds]
        for name in reversed(names[:holds]):
            fewer = [other for other in needed if other != name]
            if fewer and self._holds(base, place, fewer):
                needed = fewer
        return tuple(needed)

    def _longest(self) -> int:
        """How many of the ranked layers may be left in float, so that at least one with weights is in int8."""
        weighted = [place for place, entry in enumerate(self.ranking) if entry.layer.weights]
        return weighted[-1] if weighted else 0

    def _holds(self, base: Trial, place: int, names: Sequence[str], int16: Sequence[str] = ()) -> bool:
        return self.bench.holds(self._kept_trial(base, place, names, int16))

    def _kept_trial(self, base: Trial, place: int, names: Sequence[str], int16: Sequence[str] = ()) -> Trial:
        lists = {KEEP_FLOAT: list(names), KEEP_INT16: list(int16)}
        settings = {**base.settings, **{name: some for name, some in lists.items() if some}}
        return self.bench.run(_kept_steps(base.steps, place, names, int16), settings)

    def _remember(self, base: Trial, place: int, names: Sequence[str]) -> None:
        """Note what each layer costs; int16 activations take its place where they are enough, as they are smaller."""
        trial, int16 = self._kept_trial(base, place, names), False
        if takes(base.steps[place].pass_name, KEEP_INT16):
            other = self._kept_trial(base, place, (), names)
            int16 = self.bench.holds(other) and other.artifact.size_bytes < trial.artifact.size_bytes
            trial = other if int16 else trial
        by_name = {layer.name: layer for layer in self._layers}
        wider = 0 if int16 else _FLOAT_BYTES - _INT8_BYTES
        form = "int16" if int16 else "float32"
        self.kept = tuple(
            Kept(layer=by_name[name], form=form, cost_bytes=wider * by_name[name].weights) for name in names
        )
        self.cost_bytes = trial.artifact.size_bytes - base.artifact.size_bytes
        self.shares = (
            _share(sum(by_name[name].weights for name in names), sum(layer.weights for layer in self._layers)),
            _share(sum(by_name[name].macs for name in names), sum(layer.macs for layer in self._layers)),
        )

    @property
    def _cannot_keep(self) -> str:
        metric, limit = self.bench.budget.metric, self.bench.budget.max_drop
        within = f"{limit * 100:g} points" if metric.is_share else f"{limit:g}"
        return f"recipe {self.recipe.name!r} cannot keep {metric.word} within {within} of"

    def _unmet(self) -> GateFailedError:
        best = min(self.bench.trials, key=lambda trial: (trial.losses.drop, trial.artifact.zip_bytes))
        budget = self.bench.budget
        blocks = ""
        if self.ranking and (worst := self.ranking[0]).drop:
            blocks = (
                f"; the layer {worst.layer.name!r} blocks: in int8 it alone loses {budget.metric.amount(worst.drop)}"
            )
        settings = ", ".join(f"{name} {value}" for name, value in best.settings.items()) or "the recipe as it is"
        return GateFailedError(
            f"{self._cannot_keep} the float model's: the best that was reached loses "
            f"{best.losses.amount(best.losses.drop)} ({settings}; {best.verdict.reason}){blocks}",
            hint="allow a larger --max-drop, calibrate with more typical samples, or train with a recipe such as qat",
            trials=[trial.as_json(budget.confidence) for trial in self.bench.trials],
            ranking=[entry.as_json() for entry in self.ranking],
        )


def _kept_steps(steps: Sequence[Step], place: int, names: Sequence[str], int16: Sequence[str] = ()) -> tuple[Step, ...]:
    """The steps with more layers left in float or given int16 activations."""
    own = steps[place].params
    params: dict[str, Any] = {}
    if names:
        params[KEEP_FLOAT] = [*own.get(KEEP_FLOAT, ()), *exactly(names)]
    if int16:
        params[KEEP_INT16] = [*own.get(KEEP_INT16, ()), *exactly(int16)]
    return with_params(steps, place, **params)


def _count(step: Step) -> int:
    return min(len(values) for values in step.choices.values())


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0
