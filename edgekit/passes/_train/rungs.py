"""What a training says at the rungs of successive halving, and what the study answers; and how its rate falls."""

from __future__ import annotations

import math

from edgekit.core.questions import ask


class GivenUpError(Exception):
    """The study goes on without this net."""


def report(epochs: int, accuracy: float) -> None:
    """Tell the study how good a net is after some epochs.

    Args:
        epochs: that were trained.
        accuracy: share of right answers on the samples that training held back, 0 to 1.

    Raises:
        GivenUpError: others are better by then.
    """
    if not ask({"rung": epochs, "accuracy": accuracy}):
        raise GivenUpError


def cosine(step: int, steps: int) -> float:
    """Factor on the learning rate: from 1 to 0 along half a cosine (Loshchilov and Hutter 2017, equation 5)."""
    return 0.5 * (1 + math.cos(math.pi * min(step, steps) / max(1, steps)))
