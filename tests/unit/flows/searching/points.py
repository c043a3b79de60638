"""Trials as a study keeps them, made in a line."""

from __future__ import annotations

from typing import Any

from edgekit.core.search.goals import Goal
from edgekit.core.search.trial import Outcome, State, Trial

GOALS = (Goal(metric="accuracy"), Goal(metric="instructions"))


def trial(number: int, accuracy: float | None = None, instructions: float | None = None, **changes: Any) -> Trial:
    """A complete trial that began 1000 + `number` seconds after the epoch, or one with another state and outcome."""
    state = changes.pop("state", State.COMPLETE)
    params = changes.pop("params", {"sparsity": number})
    known = {"accuracy": accuracy, "instructions": instructions}
    values = {name: value for name, value in known.items() if value is not None} | changes.pop("values", {})
    outcome = Outcome(state=state, values=values, **({"stage": "device"} | changes))
    return Trial(
        number=number, params=params, state=state, outcome=outcome, began=1000.0 + number, ended=1000.5 + number
    )
