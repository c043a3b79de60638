"""The accuracy budget: layers are taken back from int8, choices are made, and what cannot be met is told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from edgekit.config.recipes import load_recipe
from edgekit.core.artifact import Artifact
from edgekit.core.errors import GateFailedError
from edgekit.core.measurement import Accuracy, Provenance
from edgekit.core.paired import Pairs, drop_verdict
from edgekit.core.recipe import Recipe, Step
from edgekit.core.verdict import Outcome
from edgekit.flows.budgeted import search
from edgekit.flows.trials import Bench, Budget, Trial

SPARSITIES, CLUSTERS = (0.95, 0.9, 0.8, 0.7, 0.5), (8, 16, 32, 64)
PRUNED = Step(pass_name="prune", choices={"sparsity": SPARSITIES})
CLUSTERED = Step(pass_name="cluster", choices={"clusters": CLUSTERS})
FLOAT16 = Step(pass_name="float16")


@dataclass(kw_only=True)
class TableBench(Bench):
    """Answers from a rule instead of a training: how many of 10,000 samples a variant loses, and how small it is."""

    rule: Callable[[dict[str, Any]], tuple[int, int]]
    budget: Budget = field(default_factory=lambda: Budget(max_drop=0.01))
    source: Any = None
    reference: Any = None
    meter: Any = None

    @property
    def needs_proof(self) -> bool:
        return True

    def run(self, steps: Sequence[Step], settings: Any) -> Trial:
        chosen = {name: value for step in steps for name, value in step.params.items()}
        lost, zip_bytes = self.rule(chosen)
        digest = repr(sorted(chosen.items()))
        if digest in self._known:
            return self._known[digest]
        counts = Pairs(both=9800 - lost, lost=lost, won=0, neither=200)
        artifact = Artifact(
            format="tflite", path=Path("x"), digest=digest, size_bytes=50_000, zip_bytes=zip_bytes, made_by="float16"
        )
        trial = Trial(
            steps=tuple(steps),
            settings=dict(settings),
            artifacts=(artifact,),
            records=(),
            accuracy=Accuracy(correct=9800 - lost, n=10_000, low=0, high=1, provenance=Provenance.MEASURED),
            losses=counts,
            verdict=drop_verdict(counts, self.budget.max_drop),
        )
        self._known[digest] = trial
        self.trials.append(trial)
        return trial


def recipe(*steps: Step) -> Recipe:
    return Recipe(name="mine", summary="x", when="x", steps=steps)


def lost_by(chosen: dict[str, Any]) -> tuple[int, int]:
    """More zeros and fewer values lose more and are smaller; the two together lose a little more than their sum."""
    zeros, values = chosen.get("sparsity", 0.0), chosen.get("clusters", 256)
    lost = {0.95: 300, 0.9: 60, 0.8: 20, 0.7: 10, 0.5: 5}.get(zeros, 0)
    lost += {8: 200, 16: 40, 32: 10, 64: 5}.get(values, 0)
    return lost, int(20_000 * (1 - zeros) * (values.bit_length() + 1) / 9) + 1000


@pytest.mark.parametrize(
    ("holds_from", "tried"),
    [(0.95, 3), (0.8, 3), (0.5, 3)],
)
def test_bisection_takes_the_most_aggressive_value_that_holds(holds_from, tried):
    bench = TableBench(rule=lambda chosen: (0 if chosen.get("sparsity", 0) <= holds_from else 500, 1000))

    found = search(recipe(PRUNED, FLOAT16), bench)

    values = [trial.settings.get("prune.sparsity") for trial in found.trials]
    assert holds_from in values
    assert len(found.trials) <= tried + 1


def test_step_is_left_out_where_no_value_holds():
    bench = TableBench(rule=lambda chosen: (500 if "sparsity" in chosen else 0, 1000))

    found = search(recipe(PRUNED, FLOAT16), bench)

    assert found.trial.settings == {"prune": "left out"}
    assert [step.pass_name for step in found.trial.steps] == ["float16"]


def test_two_steps_share_the_budget_so_that_the_transfer_is_smallest():
    bench = TableBench(rule=lost_by)

    found = search(recipe(PRUNED, CLUSTERED, FLOAT16), bench)

    every = [
        (lost_by({"sparsity": zeros, "clusters": values}), zeros, values)
        for zeros in (*SPARSITIES, 0.0)
        for values in (*CLUSTERS, 256)
    ]
    within = [
        entry
        for entry in every
        if drop_verdict(Pairs(both=9800 - entry[0][0], lost=entry[0][0], won=0, neither=200), 0.01).outcome
        is Outcome.PASS
    ]
    best = min(zip_bytes for (_, zip_bytes), _, _ in within)
    assert found.trial.artifact.zip_bytes == best
    assert len(found.trials) < len(every) / 2


def test_gentler_first_step_is_taken_when_it_leads_to_a_smaller_transfer():
    """The most aggressive pruning leaves no room for clusters, which would save more."""

    def rule(chosen: dict[str, Any]) -> tuple[int, int]:
        zeros, values = chosen.get("sparsity", 0.0), chosen.get("clusters")
        lost = (70 if zeros == 0.95 else 10) + (40 if values else 0)
        return lost, int(10_000 * (1 - zeros / 10)) // (2 if values else 1) + (values or 0)

    found = search(recipe(PRUNED, CLUSTERED, FLOAT16), TableBench(rule=rule))

    assert found.trial.settings["prune.sparsity"] == 0.9
    assert found.trial.settings["cluster.clusters"] == 8


def test_first_step_goes_further_where_the_training_of_the_second_wins_back_what_it_lost():
    def rule(chosen: dict[str, Any]) -> tuple[int, int]:
        zeros, values = chosen.get("sparsity", 0.0), chosen.get("clusters")
        lost = {0.95: 150, 0.9: 60}.get(zeros, 0) // (3 if values else 1) + (60 if values == 8 else 0)
        return lost, int(10_000 * (1.1 - zeros)) // (2 if values else 1) + (values or 0)

    found = search(recipe(PRUNED, CLUSTERED, FLOAT16), TableBench(rule=rule))

    assert found.trial.settings == {"prune.sparsity": 0.95, "cluster.clusters": 16}


def test_recipe_that_cannot_keep_layers_fails_with_the_best_that_was_reached():
    bench = TableBench(rule=lambda _chosen: (500, 1000))

    with pytest.raises(GateFailedError) as refused:
        search(recipe(FLOAT16), bench)

    assert "cannot keep the accuracy within 1 points" in refused.value.message
    assert "the best that was reached loses 5.00 points" in refused.value.message
    assert refused.value.exit_code == 1
    assert len(refused.value.details["trials"]) == 1


def test_spoilt_range_is_mended_by_the_shortest_list_of_layers(bench):
    at = bench("spoilt", max_drop=0.02)

    found = search(load_recipe("int8"), at)

    plain = found.trials[0]
    assert plain.settings == {}
    assert plain.verdict.outcome is Outcome.FAIL
    assert found.trial.verdict.outcome is Outcome.PASS
    assert 0 < found.kept_weights <= 0.2
    assert sorted(kept.layer.name.split("/")[1] for kept in found.kept) == ["listener_1", "loud_1"]
    assert found.cost_bytes == found.trial.artifact.size_bytes - plain.artifact.size_bytes
    assert found.plain is not None
    assert found.plain.digest == plain.artifact.digest
    shorter = [trial for trial in at.trials if len(trial.settings.get("keep_float", ())) == len(found.kept) - 1]
    assert len(shorter) == len(found.kept)
    assert not any(at.holds(trial) for trial in shorter)


def test_unscaled_input_is_mended_by_float_inputs_and_the_first_layer(bench):
    found = search(load_recipe("int8"), bench("unscaled", max_drop=0.02))

    assert found.trial.verdict.outcome is Outcome.PASS
    assert [("units" in kept.layer.name, kept.form) for kept in found.kept] == [(True, "float32")]
    assert found.kept_weights <= 0.2
    assert found.trial.artifact.inputs[0].dtype == "float32"
    assert "is the data scaled?" in found.warnings[0]


def test_budget_that_no_list_of_layers_keeps_names_the_layer_that_blocks(bench, monkeypatch):
    at = bench("spoilt", max_drop=0.02, samples=60)
    monkeypatch.setattr(Bench, "holds", lambda _self, _trial: False)

    with pytest.raises(GateFailedError) as refused:
        search(load_recipe("int8"), at)

    assert "listener" in refused.value.message
    assert "blocks: in int8 it alone loses" in refused.value.message


def test_small_evaluation_set_goes_by_what_was_observed_and_says_so(bench):
    at = bench("spoilt", max_drop=0.02, samples=60)

    found = search(load_recipe("int8"), at)

    assert not at.needs_proof
    assert found.trial.verdict.outcome is Outcome.INCONCLUSIVE
    assert "needs n >=" in found.warnings[0]
