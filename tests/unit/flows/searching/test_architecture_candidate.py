"""Architecture trials from the first suggestion to the counted image of a board, in a real study."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.config.targets import load_target
from edgekit.core.dataset import Dataset
from edgekit.core.errors import ConfigurationError, InputError
from edgekit.core.factory import Factory
from edgekit.core.search.goals import Goal, Limit
from edgekit.core.search.space import Choice
from edgekit.core.search.trial import Outcome, State
from edgekit.engines._base import ENGINES, Study, StudyPlan
from edgekit.flows.request import CompileRequest
from edgekit.flows.searching.architecture_candidate import open_architecture_candidate
from edgekit.flows.searching.devices import DevicePool
from edgekit.flows.searching.request import SearchRequest
from edgekit.flows.searching.tools import Tools
from edgekit.flows.searching.trained import trained_model
from edgekit.flows.workspace import workspace
from tests.models.digits_models import digits
from tests.models.torch_digits import images

SPACES = "tests.models.search_spaces"
TRAINED_ON = 900
BOARD = "cortex_m4"
GOALS = (Goal(metric="accuracy"), Goal(metric="instructions"), Goal(metric="flash_bytes"))


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEKIT_CACHE_DIR", str(tmp_path / "cache"))


def asks_for(folder: Path, space: str, *, target: str = BOARD, **changes: Any) -> SearchRequest:
    data = images() if space == "torch_net" else digits()
    architecture = f"{SPACES}:{space}"
    compiled = CompileRequest(
        model=Path(architecture),
        target=load_target(target),
        training=data.take(range(TRAINED_ON)),
        evaluation=data.take(range(TRAINED_ON, TRAINED_ON + 200)),
    )
    given = {"goals": GOALS, "epochs": 1, "trials": 4}
    return SearchRequest(compile=compiled, folder=folder, architecture=architecture, **(given | changes))


class Tried:
    """A study whose trials are tried one by one."""

    def __init__(self, request: SearchRequest, study: Study, stack: ExitStack) -> None:
        self.study = study
        space = stack.enter_context(workspace(lambda _: None))
        tools = Tools(workspace=space, devices=DevicePool(request.folder / "locks"))
        self._candidate = stack.enter_context(open_architecture_candidate(request, tools))

    def next(self, **point: Any) -> tuple[int, Outcome]:
        """Try a point; what it leaves open the study chooses."""
        self.study.enqueue([point])
        asked = self.study.ask("worker")
        assert asked is not None
        outcome = self._candidate.try_(asked, self.study, stopped=lambda: False)
        assert self.study.tell(asked.number, outcome)
        return asked.number, outcome


@pytest.fixture
def tries() -> Iterator[Any]:
    with ExitStack() as stack:

        def start(request: SearchRequest) -> Tried:
            request.folder.mkdir(parents=True, exist_ok=True)
            plan = StudyPlan(
                name="study",
                storage=f"sqlite:///{request.folder / 'study.db'}",
                identity={},
                parameters=request.parameters,
                goals=request.goals,
                limits=request.limits,
            )
            study: Study = ENGINES.load("optuna").open(plan, create=True)
            stack.callback(study.close)
            return Tried(request, study, stack)

        yield start


def test_nets_are_trained_compiled_and_counted(tmp_path: Path, tries: Any):
    request = asks_for(tmp_path / "study", "old_keras_net", epochs=3)
    tried = tries(request)

    _, small = tried.next(kernel=3)
    number, large = tried.next(kernel=5)

    for outcome in (small, large):
        assert outcome.state is State.COMPLETE, outcome.reason
        assert outcome.values["accuracy"] > 0.6
        assert {"instructions", "flash_bytes"} <= outcome.measured
        assert {"synflow", "grad_norm"} <= set(outcome.proxies)
        assert {"static", "proxies", "training", "accuracy", "device"} == set(outcome.seconds)
        assert [step["pass"] for step in outcome.steps] == ["int8", "cortex_m"]
    assert large.values["macs"] == small.values["macs"] + 64 * 4 * (25 - 9)
    assert large.values["instructions"] > small.values["instructions"]
    assert small.artifact != large.artifact
    assert "weights from a parent" in large.notes[0]
    assert not small.notes
    assert isinstance(trained_model(request.folder, number), Path)
    assert [dict(trial.params) for trial in tried.study.trials()] == [{"kernel": 3}, {"kernel": 5}]
    assert set(tried.study.kept("rung/")) == {"rung/1/0", "rung/1/1"}


def test_what_is_too_large_is_never_trained(tmp_path: Path, tries: Any):
    limit = Limit(metric="flash_bytes", most=1000, source="a tiny board")
    tried = tries(asks_for(tmp_path / "study", "old_keras_net", limits=(limit,)))

    _, outcome = tried.next(kernel=5)

    assert outcome.state is State.INFEASIBLE
    assert set(outcome.seconds) == {"static"}
    assert outcome.violations["flash_bytes"] > 0
    assert "a tiny board allows 1000" in outcome.reason


@pytest.mark.parametrize(
    ("space", "words"),
    [
        ("raises", "ZeroDivisionError"),
        pytest.param("hangs", "took longer than", marks=pytest.mark.full),
        ("gives_nothing", "gives a NoneType"),
    ],
)
def test_a_space_that_gives_no_net_fails_its_trial_and_the_next_one_is_tried(
    space: str, words: str, tmp_path: Path, tries: Any
):
    tried = tries(asks_for(tmp_path / "study", space, trial_timeout_s=4.0))

    outcomes = [tried.next(depth=depth)[1] for depth in (1, 2)]

    assert [outcome.state for outcome in outcomes] == [State.FAILED, State.FAILED]
    assert all(words in outcome.reason for outcome in outcomes)


def test_a_space_that_is_not_there_is_told_before_any_trial(tmp_path: Path, tries: Any):
    with pytest.raises(ConfigurationError, match="there is no space"):
        tries(asks_for(tmp_path / "study", "forgotten"))


def test_a_space_needs_samples_with_classes(tmp_path: Path, tries: Any):
    request = asks_for(tmp_path / "study", "old_keras_net")
    without = Dataset(name="bare", inputs=(np.zeros((8, 8, 8, 1), np.float32),))

    for training, words in ((None, "--train-data"), (without, "no classes")):
        changed = replace(request, compile=replace(request.compile, training=training))
        with pytest.raises(InputError) as raised:
            tries(changed)
        assert words in f"{raised.value.message} {raised.value.hint}"


@pytest.mark.full
def test_a_given_model_teaches_and_hands_its_weights_on(tmp_path: Path, tries: Any):
    first = asks_for(tmp_path / "first", "old_keras_net", epochs=3)
    number, _ = tries(first).next(kernel=3)
    teacher = trained_model(first.folder, number)
    request = asks_for(tmp_path / "second", "old_keras_net", epochs=1)

    _, outcome = tries(replace(request, compile=replace(request.compile, model=teacher))).next(kernel=5)

    assert outcome.state is State.COMPLETE, outcome.reason
    assert "weights from a parent" in outcome.notes[0]
    assert abs(outcome.values["accuracy_drop"]) < 0.3


@pytest.mark.full
def test_pytorch_nets_become_models_that_can_be_compiled_again(tmp_path: Path, tries: Any):
    goals = (Goal(metric="accuracy"), Goal(metric="zip_bytes"))
    request = asks_for(tmp_path / "study", "torch_net", target="rpi4", goals=goals, epochs=3)

    number, outcome = tries(request).next(width=8, kernel=3)

    assert outcome.state is State.COMPLETE, outcome.reason
    assert outcome.values["accuracy"] > 0.6
    model = trained_model(request.folder, number)
    assert isinstance(model, Factory)
    assert model.weights is not None
    assert model.weights.is_file()


@pytest.mark.full
def test_a_net_and_its_recipe_are_chosen_together(tmp_path: Path, tries: Any):
    parameters = (
        Choice(name="quantize", values=("int8",)),
        Choice(name="cortex_m.optimize", values=("speed", "flash")),
    )
    tried = tries(asks_for(tmp_path / "study", "old_keras_net", parameters=parameters))

    outcomes = {
        optimize: tried.next(quantize="int8", **{"cortex_m.optimize": optimize})[1] for optimize in ("speed", "flash")
    }

    for optimize, outcome in outcomes.items():
        assert outcome.state is State.COMPLETE, outcome.reason
        assert outcome.steps[-1]["params"]["optimize"] == optimize
        assert {"accuracy", "instructions", "flash_bytes"} <= set(outcome.values)
    for trial in tried.study.trials():
        assert set(trial.params) == {"quantize", "cortex_m.optimize", "kernel"}
