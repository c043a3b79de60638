"""Two models on the same samples: how much accuracy the second one lost, how sure that is, and what would settle it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from edgekit.core.metric import TOP_1, Metric, amount
from edgekit.core.statistics import Interval
from edgekit.core.verdict import Outcome, Verdict

if TYPE_CHECKING:
    from numpy.typing import NDArray

CONFIDENCE = 0.95
"""One-sided: how sure it has to be that a drop is within its budget."""
_MOST_SAMPLES = 10_000_000


class Losses(Protocol):
    """What a second model lost against a first one on the same samples."""

    @property
    def n(self) -> float:
        """Number of samples."""

    @property
    def drop(self) -> float:
        """How much worse the second model is."""

    def interval(self, *, confidence: float) -> Interval:
        """Interval of the drop; both bounds hold at this one-sided confidence."""

    def samples_needed(self, max_drop: float, *, confidence: float) -> int | None:
        """How many samples like these would prove the drop to be within a budget; None where no number does."""

    def amount(self, value: float) -> str:
        """A drop with its unit."""


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """How often two models are right on the same samples.

    Attributes:
        both: both are right.
        lost: only the first one is right.
        won: only the second one is right.
        neither: both are wrong.
    """

    both: float
    lost: float
    won: float
    neither: float

    @property
    def n(self) -> float:
        """Number of samples."""
        return self.both + self.lost + self.won + self.neither

    @property
    def drop(self) -> float:
        """Accuracy of the first model minus that of the second, -1 to 1."""
        return (self.lost - self.won) / self.n

    def scaled(self, factor: float) -> Pairs:
        """The same shares of another number of samples."""
        return Pairs(
            both=self.both * factor, lost=self.lost * factor, won=self.won * factor, neither=self.neither * factor
        )

    def interval(self, *, confidence: float) -> Interval:
        """As `drop_interval`."""
        return drop_interval(self, confidence=confidence)

    def samples_needed(self, max_drop: float, *, confidence: float) -> int | None:
        """As `samples_needed`."""
        return samples_needed(self, max_drop, confidence=confidence)

    def amount(self, value: float) -> str:
        """A drop in percentage points."""
        return amount(value, is_share=True)


def pairs(first: NDArray[Any], second: NDArray[Any]) -> Pairs:
    """Count them.

    Args:
        first, second: whether each model is right on each sample, bool of shape [samples].
    """
    return Pairs(
        both=int((first & second).sum()),
        lost=int((first & ~second).sum()),
        won=int((~first & second).sum()),
        neither=int((~first & ~second).sum()),
    )


def drop_interval(counts: Pairs, *, confidence: float = CONFIDENCE) -> Interval:
    """Interval of the drop; both bounds hold at this one-sided confidence, together at twice the error.

    Newcombe's method 10: Wilson's intervals of the two accuracies, squared and added, less what their correlation
    explains; the correlation is corrected for continuity (R. G. Newcombe, "Improved confidence intervals for the
    difference between binomial proportions based on paired data", Statistics in Medicine 17:2635-2650, 1998). For the
    usual 95 % interval take a confidence of 0.975; 0.5 gives the point estimate.

    Args:
        counts: at least one sample.
        confidence: one-sided, 0.5 to below 1.

    Raises:
        ValueError: there are no samples, or the confidence is out of range.
    """
    if counts.n <= 0 or not 0.5 <= confidence < 1:
        raise ValueError(f"{counts} at a confidence of {confidence}")
    z = NormalDist().inv_cdf(confidence)
    n, first, second = counts.n, counts.both + counts.lost, counts.both + counts.won
    (low_1, high_1), (low_2, high_2) = _wilson(first / n, n, z), _wilson(second / n, n, z)
    correlation = _correlation(counts)
    p1, p2 = first / n, second / n
    below = _added(p1 - low_1, high_2 - p2, correlation)
    above = _added(high_1 - p1, p2 - low_2, correlation)
    return Interval(value=counts.drop, low=max(counts.drop - below, -1.0), high=min(counts.drop + above, 1.0))


def _added(one: float, other: float, correlation: float) -> float:
    return math.sqrt(max(one**2 - 2 * correlation * one * other + other**2, 0.0))


def _correlation(counts: Pairs) -> float:
    """Phi with the continuity correction of method 10; 0 where a model is always right or always wrong."""
    margins = (
        (counts.both + counts.lost)
        * (counts.won + counts.neither)
        * (counts.both + counts.won)
        * (counts.lost + counts.neither)
    )
    if margins <= 0:
        return 0.0
    determinant = counts.both * counts.neither - counts.lost * counts.won
    corrected = max(determinant - counts.n / 2, 0.0) if determinant > 0 else determinant
    return corrected / math.sqrt(margins)


def _wilson(share: float, n: float, z: float) -> tuple[float, float]:
    """Wilson's score interval; as `statistics.wilson`, for any confidence and for shares of a sample yet to come."""
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return (0.0 if share == 0 else centre - half), (1.0 if share == 1 else centre + half)


def judge_drop(losses: Losses, max_drop: float, *, confidence: float = CONFIDENCE) -> Outcome:
    """Whether the drop is within a budget.

    Args:
        losses: of the artifact (second) against the float model (first).
        max_drop: the budget, in the metric's unit.
        confidence: one-sided.

    Returns:
        Pass when the upper bound is within the budget, inconclusive when only the drop itself is, else fail.
    """
    if losses.drop > max_drop:
        return Outcome.FAIL
    return Outcome.PASS if losses.interval(confidence=confidence).high <= max_drop else Outcome.INCONCLUSIVE


def samples_needed(counts: Pairs, max_drop: float, *, confidence: float = CONFIDENCE) -> int | None:
    """How many samples with these shares would prove the drop to be within the budget.

    Returns:
        The least number, or None where no number below ten million does: the drop is as large as the budget.
    """

    def proves(n: int) -> bool:
        return judge_drop(counts.scaled(n / counts.n), max_drop, confidence=confidence) is Outcome.PASS

    low, high = 0, 1
    while not proves(high):
        low, high = high, high * 2
        if low > _MOST_SAMPLES:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if proves(middle) else (middle, high)
    return high


def drop_verdict(losses: Losses, max_drop: float, *, confidence: float = CONFIDENCE, metric: Metric = TOP_1) -> Verdict:
    """The drop held against its budget, with the bound and, where it is open, the samples that would settle it."""
    outcome = judge_drop(losses, max_drop, confidence=confidence)
    bound = losses.interval(confidence=confidence).high
    sure = f"at most {losses.amount(bound)} at {confidence:.0%} confidence on {losses.n:,.0f} samples"
    compared = (
        "float model minus artifact" if metric.is_top_1 else f"{metric.name}, artifact worse than the float model"
    )
    reason = f"{compared} on the same samples: {sure}"
    if outcome is Outcome.INCONCLUSIVE:
        needed = losses.samples_needed(max_drop, confidence=confidence)
        more = f"needs n >= {needed:,}" if needed is not None else "no number of samples settles a drop at its limit"
        reason = f"{reason}; inconclusive, {more}"
    name = "accuracy_drop" if metric.is_top_1 else "metric_drop"
    return Verdict(metric=name, value=losses.drop, limit=max_drop, outcome=outcome, reason=reason)


def signal_to_noise_db(reference: Sequence[float] | NDArray[Any], other: Sequence[float] | NDArray[Any]) -> float:
    """Power of the reference over the power of the difference, in decibels; infinite for no difference at all.

    Args:
        reference, other: real values of the same shape.
    """
    signal, noisy = np.asarray(reference, dtype=np.float64), np.asarray(other, dtype=np.float64)
    noise = float(np.square(signal - noisy).sum())
    power = float(np.square(signal).sum())
    if noise == 0:
        return math.inf
    return 10 * math.log10(power / noise) if power > 0 else -math.inf
