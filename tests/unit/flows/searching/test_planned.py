"""What makes a search itself, and what is refused before anything is compiled."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgekit.config.targets import load_target
from edgekit.core.dataset import Dataset
from edgekit.core.errors import ConfigurationError, UnsupportedError
from edgekit.core.factory import Factory
from edgekit.core.metric import Metric
from edgekit.core.search.goals import Goal, Limit
from edgekit.core.search.space import Choice
from edgekit.flows.request import CompileRequest
from edgekit.flows.searching.planned import identity_of, planned
from edgekit.flows.searching.request import SearchRequest

SPACE = (Choice(name="int8.calibration", values=("min_max", "kl")),)
GOALS = (Goal(metric="accuracy"), Goal(metric="size_bytes"))
LIMITS = (Limit(metric="size_bytes", most=1000.0),)


def a_request(folder: Path) -> SearchRequest:
    model = folder / "model.keras"
    model.write_bytes(b"weights")
    data = Dataset(name="test", inputs=(np.zeros((4, 2), np.float32),), labels=np.arange(4))
    compiled = CompileRequest(model=model, target=load_target("rpi4"), evaluation=data)
    return SearchRequest(
        compile=compiled, folder=folder / "study", trials=4, parameters=SPACE, goals=GOALS, limits=LIMITS
    )


def identity(request: SearchRequest) -> dict[str, object]:
    return identity_of(request, request.parameters, request.goals, request.limits)


def test_identity_changes_with_all_that_makes_a_study_another_one(tmp_path: Path) -> None:
    request = a_request(tmp_path)
    (tmp_path / "other.keras").write_bytes(b"other weights")
    data = Dataset(name="test", inputs=(np.ones((4, 2), np.float32),), labels=np.arange(4))
    others = [
        replace(request, compile=replace(request.compile, model=tmp_path / "other.keras")),
        replace(request, compile=replace(request.compile, model=Factory(function="nets:build"))),
        replace(request, compile=replace(request.compile, target=load_target("rpi5"))),
        replace(request, compile=replace(request.compile, evaluation=data)),
        replace(request, architecture="nets:space"),
        replace(request, parameters=(Choice(name="int8.calibration", values=("kl",)),)),
        replace(request, goals=GOALS[:1]),
        replace(request, limits=(replace(LIMITS[0], most=2000.0),)),
        replace(request, epochs=3),
        replace(request, devices=("pi",)),
    ]

    identities = [identity(request), *map(identity, others)]

    assert all(one != other for place, one in enumerate(identities) for other in identities[:place])


def test_identity_stays_with_what_may_change_when_a_study_goes_on(tmp_path: Path) -> None:
    request = a_request(tmp_path)

    same = replace(request, trials=100, budget_s=60.0, workers=7, ray="local", resume=True, trial_timeout_s=5.0)

    assert identity(request) == identity(same)


def test_declared_space_is_taken_as_it_is(tmp_path: Path) -> None:
    found = planned(a_request(tmp_path))

    assert found.parameters == SPACE
    assert found.goals == GOALS
    assert LIMITS[0] in found.limits
    assert found.opener.endswith(":open_recipe_candidate")
    assert found.strategy == "tpe"
    assert found.provenance == "estimated"


def test_architecture_has_its_own_candidate_and_no_default_space(tmp_path: Path) -> None:
    found = planned(replace(a_request(tmp_path), parameters=(), architecture="nets:space"))

    assert found.parameters == ()
    assert found.opener.endswith(":open_architecture_candidate")


def test_strategy_that_the_engine_does_not_know_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match="no strategy 'nsga4'") as caught:
        planned(replace(a_request(tmp_path), strategy="nsga4"))

    assert "nsga" in str(caught.value.hint)


def test_engine_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match="'optima'"):
        planned(replace(a_request(tmp_path), engine="optima"))


def test_space_that_is_none_is_refused_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError):
        planned(replace(a_request(tmp_path), parameters=(Choice(name="x", values=()),)))


@pytest.mark.parametrize(
    ("goals", "limits", "said"),
    [
        ((Goal(metric="latency_ns"),), (), "nothing measures latency_ns in a search for rpi4 without a device"),
        ((Goal(metric="flash_bytes"),), (), "nothing measures flash_bytes"),
        (GOALS, (Limit(metric="ram_bytes", most=1.0),), "nothing measures ram_bytes"),
    ],
)
def test_what_nothing_measures_is_refused(
    tmp_path: Path, goals: tuple[Goal, ...], limits: tuple[Limit, ...], said: str
) -> None:
    with pytest.raises(ConfigurationError, match=said):
        planned(replace(a_request(tmp_path), goals=goals, limits=limits))


def test_device_and_board_measure_more(tmp_path: Path) -> None:
    request = replace(a_request(tmp_path), goals=(Goal(metric="latency_ns"),))
    assert planned(replace(request, devices=("local://",))).warnings == ()

    board = replace(request, compile=replace(request.compile, target=load_target("cortex_m4")))
    assert planned(replace(board, goals=(Goal(metric="instructions"), Goal(metric="ram_bytes")))).warnings == ()
    with pytest.raises(ConfigurationError, match=r"nothing measures latency_ns in a search for cortex_m4$"):
        planned(board)


def test_budget_that_nothing_measures_is_a_warning(tmp_path: Path) -> None:
    request = a_request(tmp_path)
    target = replace(request.compile.target, budgets=replace(request.compile.target.budgets, ram_bytes=4096))

    (warning,) = planned(replace(request, compile=replace(request.compile, target=target))).warnings

    assert warning == "the budget allows ram_bytes up to 4096, and nothing measures it here"


def test_error_is_not_made_large(tmp_path: Path) -> None:
    request = a_request(tmp_path)
    values = replace(request, compile=replace(request.compile, metric=Metric(name="mae")))

    with pytest.raises(ConfigurationError, match="mae is an error"):
        planned(values)
    assert next(goal.metric for goal in planned(replace(values, goals=())).goals) == "accuracy_drop"
