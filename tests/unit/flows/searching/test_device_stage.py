"""What the device will give is predicted from what it gave, and it is not asked for a point that is hopeless."""

from __future__ import annotations

import random
from itertools import product

import pytest

from edgekit.core.search.goals import Goal
from edgekit.core.search.predictor import Prediction
from edgekit.core.search.space import Value
from edgekit.core.search.trial import Outcome, State, Trial
from edgekit.flows.searching import device_stage
from edgekit.flows.searching.device_stage import hopeless, prediction
from edgekit.flows.searching.findings import Findings

GOALS = (Goal(metric="accuracy"), Goal(metric="instructions"))
SLOWER = {"speed": 1.0, "ram": 1.5, "flash": 4.0}
"""What an aim of the compiler makes of a count that bytes and multiply-accumulates do not tell."""


def point(aim: str, width: int) -> dict[str, Value]:
    return {"cortex_m.optimize": aim, "width": width}


def known(width: int) -> dict[str, float]:
    return {"accuracy": 1 - 0.1 / width, "macs": 1e4 * width, "size_bytes": 500.0 * width, "zip_bytes": 300.0 * width}


def instructions(aim: str, width: int) -> float:
    return SLOWER[aim] * 3e4 * width


def measured(number: int, aim: str, width: int) -> Trial:
    values = known(width) | {"instructions": instructions(aim, width)}
    outcome = Outcome(state=State.COMPLETE, values=values, measured=frozenset({"instructions"}))
    return Trial(number=number, params=point(aim, width), state=State.COMPLETE, outcome=outcome)


def noisy(number: int, chance: random.Random) -> Trial:
    """Of an aim and a width by chance, on a device that counts do not tell all of."""
    aim, width = chance.choice(list(SLOWER)), chance.randint(1, 40)
    values = {name: value * chance.lognormvariate(0, 0.15) for name, value in known(width).items()}
    values["instructions"] = SLOWER[aim] * 3 * values["macs"] * chance.lognormvariate(0, 0.05)
    outcome = Outcome(state=State.COMPLETE, values=values, measured=frozenset({"instructions"}))
    return Trial(number=number, params=point(aim, width), state=State.COMPLETE, outcome=outcome)


def counts_of(trial: Trial) -> dict[str, float]:
    """What is known of a trial before a device is asked."""
    assert trial.outcome is not None
    return {name: value for name, value in trial.outcome.values.items() if name != "instructions"}


@pytest.fixture
def trials() -> list[Trial]:
    return [measured(number, aim, width) for number, (aim, width) in enumerate(product(SLOWER, (1, 2, 4, 8)))]


@pytest.mark.parametrize("aim", SLOWER)
def test_choices_by_name_tell_what_counts_do_not(trials: list[Trial], aim: str) -> None:
    expected = prediction(Findings(limits=(), values=known(3)), point(aim, 3), trials, GOALS)

    assert expected is not None
    metric, told = expected
    assert metric == "instructions"
    assert told.low <= instructions(aim, 3) <= told.high
    assert told.value == pytest.approx(instructions(aim, 3), rel=0.1)


def test_choice_that_was_never_measured_is_not_predicted(trials: list[Trial]) -> None:
    others = [trial for trial in trials if trial.params["cortex_m.optimize"] != "flash"]

    assert prediction(Findings(limits=(), values=known(3)), point("speed", 3), others, GOALS) is not None
    assert prediction(Findings(limits=(), values=known(3)), point("flash", 3), others, GOALS) is None


@pytest.mark.parametrize("others", [8, 20, 40])
def test_the_least_that_is_expected_is_too_high_in_one_of_twenty_at_most(others: int) -> None:
    """What spares a device is the lower end, of the surer of two predictions."""
    too_high = predicted = 0
    for seed in range(400):
        trials = [noisy(number, random.Random(f"{seed} {number}")) for number in range(others + 1)]
        new = trials.pop()
        assert new.outcome is not None
        expected = prediction(Findings(limits=(), values=counts_of(new)), new.params, trials, GOALS)
        if expected is not None:
            predicted += 1
            too_high += new.outcome.values["instructions"] < expected[1].low

    assert predicted > 350
    assert too_high / predicted <= 0.05


def test_only_what_is_dominated_for_certain_is_spared(trials: list[Trial]) -> None:
    slow = hopeless(Findings(limits=(), values=known(3)), point("flash", 3), trials, GOALS)
    fast = hopeless(Findings(limits=(), values=known(3)), point("speed", 3), trials, GOALS)
    better = known(3) | {"accuracy": 1.0}

    assert slow is not None
    assert slow.state is State.PRUNED
    assert "instructions is expected at" in slow.reason
    assert fast is None
    assert hopeless(Findings(limits=(), values=better), point("flash", 3), trials, GOALS) is None


@pytest.mark.parametrize(("times", "is_spared"), [(1.0, True), (0.995, True), (0.9, False)])
def test_what_is_hardly_better_than_a_point_that_was_measured_is_spared(
    trials: list[Trial], monkeypatch: pytest.MonkeyPatch, times: float, is_spared: bool
) -> None:
    """`times` what the point of width 4 takes, with its answers."""
    low = times * instructions("speed", 4)
    sure = Prediction(value=low * 1.001, low=low, high=low * 1.002)
    monkeypatch.setattr(device_stage, "prediction", lambda *_: ("instructions", sure))

    found = hopeless(Findings(limits=(), values=known(4)), point("speed", 4), trials, GOALS)

    assert (found is not None) == is_spared


def test_few_measurements_predict_nothing(trials: list[Trial]) -> None:
    assert prediction(Findings(limits=(), values=known(3)), point("speed", 3), trials[:7], GOALS) is None
