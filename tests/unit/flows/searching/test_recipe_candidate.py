"""Recipes tried for real: a Keras net on an emulated board and on this computer, with what each stage finds out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edgekit.config.targets import load_target
from edgekit.core.dataset import Dataset
from edgekit.core.metric import Metric
from edgekit.core.search.goals import Limit
from edgekit.core.search.space import Choice, Value
from edgekit.core.search.trial import Outcome, State, Trial
from edgekit.data import load_dataset
from edgekit.flows.request import CompileRequest
from edgekit.flows.searching.devices import DevicePool
from edgekit.flows.searching.recipe_candidate import open_recipe_candidate
from edgekit.flows.searching.recipe_defaults import LARGEST, default_space, goals_for, limits_for
from edgekit.flows.searching.request import SearchRequest
from edgekit.flows.searching.tools import Tools
from edgekit.flows.workspace import workspace

SPACE = (
    Choice(name="quantize", values=("int8", "float16")),
    Choice(name="int8.calibration", values=("min_max", "percentile")),
)
BITS = (Choice(name="quantize", values=("dynamic",)), Choice(name="dynamic.bits", values=(8, 4)))
Tries = Callable[..., Outcome]


class Asked:
    """A trial that a test asks for."""

    number, attempts = 0, 1

    def __init__(self, params: Mapping[str, Value]) -> None:
        self.params = params


class Known:
    """A study that knows what a test tells it."""

    def __init__(self, *outcomes: Outcome) -> None:
        self._trials = tuple(
            Trial(
                number=number,
                params={"quantize": "int8", "int8.calibration": ("min_max", "percentile")[number // 2 % 2]},
                state=outcome.state,
                outcome=outcome,
            )
            for number, outcome in enumerate(outcomes)
        )

    def trials(self) -> tuple[Trial, ...]:
        return self._trials


def request_of(
    quickstart: Path, folder: Path, target: str, *, training: Dataset | None = None, **changed: Any
) -> SearchRequest:
    """The quickstart's net on a target."""
    data = {name: load_dataset(str(quickstart / f"{name}.npz"), None) for name in ("train", "test")}
    compiled = CompileRequest(
        model=quickstart / "quickstart.keras", target=load_target(target), calibration=data["train"],
        evaluation=data["test"], max_drop=0.03, training=training,
    )  # fmt: skip
    return replace(SearchRequest(compile=compiled, folder=folder, trials=1, parameters=SPACE), **changed)


@pytest.fixture
def tries(quickstart: Path, tmp_path: Path) -> Iterator[Tries]:
    """`tries(target, point, ...)` tries one point."""
    with ExitStack() as stack:

        def try_(target: str, point: Mapping[str, Value], *known: Outcome, **changed: Any) -> Outcome:
            request = request_of(quickstart, tmp_path, target, **changed)
            space = stack.enter_context(workspace(lambda _event: None))
            tools = Tools(workspace=space, devices=DevicePool(tmp_path / "locks", request.devices))
            candidate = stack.enter_context(open_recipe_candidate(request, tools))
            return candidate.try_(Asked(point), Known(*known), stopped=lambda: False)  # type: ignore[arg-type]

        yield try_


@pytest.mark.boards
def test_board_gives_exact_figures_and_the_predictor_spares_it_what_cannot_win(tries: Tries):
    found = tries("cortex_m4", {"quantize": "int8", "int8.calibration": "min_max"})

    assert (found.state, found.stage, found.reason) == (State.COMPLETE, "device", "")
    assert found.values["accuracy"] > 0.9
    assert found.values["accuracy_drop"] <= 0.03
    assert found.measured == {"instructions", "flash_bytes", "ram_bytes"}
    assert found.values["instructions"] > 50_000
    assert found.values["ram_bytes"] < found.values["flash_bytes"]
    assert [step["pass"] for step in found.steps] == ["int8", "cortex_m"]
    assert len(found.artifact) == 64
    assert set(found.seconds) == {"static", "accuracy", "device"}

    known = []
    for n in range(12):
        share = (0.25, 1.0)[n % 2] * (1 + n / 1000)  # every other one is a better and four times smaller net
        values = {metric: value * share for metric, value in found.values.items()} | {"accuracy": 1.0}
        proxies = {name: value * share for name, value in found.proxies.items()}
        known.append(replace(found, values=values, proxies=proxies))
    spared = tries("cortex_m4", {"quantize": "int8", "int8.calibration": "percentile"}, *known)

    assert spared.state is State.PRUNED
    assert "dominated" in spared.reason
    assert "instructions" not in spared.values


@pytest.mark.boards
def test_limit_ends_a_trial_before_anything_costly(tries: Tries):
    limit = Limit(metric="flash_bytes", most=1024.0, source="a test")

    found = tries("cortex_m4", {"quantize": "int8", "int8.calibration": "min_max"}, limits=(limit,))

    assert (found.state, found.stage) == (State.INFEASIBLE, "static")
    assert found.violations["flash_bytes"] == found.values["flash_bytes"] - 1024
    assert "a test allows 1024" in found.reason


def test_what_the_target_does_not_run_is_refused_and_no_error(tries: Tries):
    found = tries("cortex_m4", {"quantize": "float16"})

    assert (found.state, found.values) == (State.REFUSED, {})
    assert "float16" in found.reason


@pytest.mark.parametrize("point", [{"quantize": "none"}, {"quantize": "none", "prune.sparsity": 0.5}])
def test_point_that_quantizes_nothing_is_the_float_model(tries: Tries, quickstart: Path, point: Mapping[str, Value]):
    space = (Choice(name="prune.sparsity", values=("off", 0.5)), Choice(name="quantize", values=("none", "int8")))
    training = load_dataset(str(quickstart / "train.npz"), None)

    found = tries("host", point, parameters=space, training=training)

    assert found.state is State.COMPLETE
    assert found.values["size_bytes"] > 2 * tries("host", {"quantize": "int8"}).values["size_bytes"]


def test_device_measures_what_this_computer_judged(tries: Tries):
    found = tries("host", {"quantize": "int8", "int8.calibration": "min_max"}, devices=("local://",))

    assert (found.state, found.stage) == (State.COMPLETE, "device")
    low, high = found.intervals["latency_ns"]
    assert 0 < low <= found.values["latency_ns"] <= high
    assert {"latency_ns", "ram_bytes"} <= found.measured
    assert found.device_s > 0


def test_loss_of_accuracy_is_the_bound_that_a_deploy_holds_against_it(tries: Tries):
    proven = tries("host", {"quantize": "float16"})

    assert proven.values["accuracy_drop"] > 0  # float16 answers alike; what 540 samples cannot rule out remains
    assert proven.state is State.COMPLETE


def test_error_of_the_users_own_speaks_by_what_was_lost(tries: Tries, quickstart: Path, tmp_path: Path):
    (tmp_path / "mine.py").write_text(
        "def error(scores, labels):\n    return float((scores.argmax(axis=1) != labels).mean())\n"
        "error.lower_is_better = True\n"
    )
    compiled = request_of(quickstart, tmp_path, "host").compile
    compiled = replace(compiled, max_drop=None, metric=Metric(name="mine:error", folder=tmp_path))

    better, worse = (
        tries("host", {"quantize": "dynamic", "dynamic.bits": bits}, compile=compiled, parameters=BITS)
        for bits in (8, 4)
    )

    assert better.values["accuracy_drop"] < worse.values["accuracy_drop"]
    assert "accuracy" not in worse.values
    assert worse.notes[0].startswith("mine:error is 0.0")


def test_limit_that_nothing_is_held_against_is_told(tries: Tries):
    limit = Limit(metric="ram_bytes", most=1.0, source="a test")

    found = tries("host", {"quantize": "float16"}, limits=(limit,))

    assert found.notes == ("Not known, so its limit was not checked: ram_bytes.",)


def test_default_space_begins_with_the_targets_own_recipe_and_can_be_listed(quickstart: Path, tmp_path: Path):
    from edgekit.core.search.space import check_point, check_space, size

    request = request_of(quickstart, tmp_path, "rpi4", parameters=())
    parameters, (first,) = default_space(request)

    check_space(parameters)
    check_point(parameters, first)
    assert (first["quantize"], first["int8.calibration"]) == ("int8", "min_max")
    assert 20 < (size(parameters) or 0) <= LARGEST
    assert {parameter.name.partition(".")[0] for parameter in parameters} == {
        "quantize", "int8", "int16x8", "dynamic", "weight_only", "layer",
    }  # fmt: skip
    assert [goal.metric for goal in goals_for(request)] == ["accuracy", "macs", "zip_bytes"]
    (limit,) = limits_for(request)
    assert (limit.metric, limit.most, limit.source) == ("accuracy_drop", 0.03, "--max-drop")


@pytest.mark.boards
def test_default_space_of_a_board_offers_what_its_compiler_takes(quickstart: Path, tmp_path: Path):
    request = request_of(quickstart, tmp_path, "cortex_m4", parameters=())
    parameters, (first,) = default_space(request)

    offered = {parameter.name: parameter.values for parameter in parameters if isinstance(parameter, Choice)}
    assert offered["quantize"] == ("int8",)
    assert offered["cortex_m.optimize"] == ("speed", "ram", "flash")
    assert first["cortex_m.optimize"] == "speed"
    assert {limit.metric for limit in limits_for(request)} == {"flash_bytes", "ram_bytes", "accuracy_drop"}
