"""A metric of a whole evaluation set that is no mean of right answers: its interval, and that of a paired difference.

The samples are drawn again with replacement, and the metric is taken anew on each resample (B. Efron and R. J.
Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13: the percentile interval, for which they advise 1,000
resamples or more). Two models are compared on the same resamples, so what makes a sample easy for both cancels out.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edgekit.core.metric import amount
from edgekit.core.statistics import Interval

if TYPE_CHECKING:
    from numpy.typing import NDArray

RESAMPLES = 2000
"""As many for each interval."""
_SEED = 0
_BOTH_SIDES_95 = (2.5, 97.5)


def resamples(n: int) -> Iterator[NDArray[np.int64]]:
    """Positions of n samples drawn from n with replacement, `RESAMPLES` times, the same ones every time."""
    generator = np.random.Generator(np.random.PCG64(_SEED))
    for _ in range(RESAMPLES):
        yield generator.integers(0, n, size=n)


@dataclass(frozen=True, kw_only=True, eq=False)
class Replicates:
    """A metric of one model on an evaluation set.

    Attributes:
        value: on the set itself.
        values: on each of its resamples, float64 of shape [RESAMPLES].
        n: samples.
        lower_is_better: the metric is an error.
        is_share: its values are shares, 0 to 1.
    """

    value: float
    values: NDArray[np.float64]
    n: int
    lower_is_better: bool
    is_share: bool

    def interval(self) -> Interval:
        """The value with its 95 % percentile interval."""
        low, high = np.percentile(self.values, _BOTH_SIDES_95)
        return Interval(value=self.value, low=float(low), high=float(high))


@dataclass(frozen=True, kw_only=True, eq=False)
class Resampled:
    """Two models on the same samples, by their metrics on the same resamples.

    Attributes:
        first, second: the metric of each model.
    """

    first: Replicates
    second: Replicates

    @property
    def n(self) -> int:
        """Number of samples."""
        return self.first.n

    @property
    def drop(self) -> float:
        """How much worse the second model is, in the metric's own unit, whichever way the metric points."""
        return self._sign * (self.first.value - self.second.value)

    @property
    def _sign(self) -> float:
        return -1.0 if self.first.lower_is_better else 1.0

    def interval(self, *, confidence: float) -> Interval:
        """Interval of the drop; both bounds hold at this one-sided confidence.

        It is the percentile interval of the paired differences, but never narrower than what n samples can tell at
        all: samples of a share of `1 - (1 - confidence) ** (1 / n)` may never have been drawn (the rule of three,
        J. A. Hanley and A. Lippman-Hand, JAMA 249:1743-1745, 1983), and are taken to cost that share of the first
        model's value. Without that, two models that agree on ten samples would be proven to be the same.

        Args:
            confidence: one-sided, 0.5 to below 1; 0.5 gives the drop itself.

        Raises:
            ValueError: the confidence is out of range.
        """
        if not 0.5 <= confidence < 1:
            raise ValueError(f"a confidence of {confidence}")
        if confidence == 0.5:
            return Interval(value=self.drop, low=self.drop, high=self.drop)
        differences = self._sign * (self.first.values - self.second.values)
        low, high = np.percentile(differences, [100 * (1 - confidence), 100 * confidence])
        unseen = (1 - (1 - confidence) ** (1 / self.n)) * abs(self.first.value)
        return Interval(
            value=self.drop, low=min(float(low), self.drop - unseen), high=max(float(high), self.drop + unseen)
        )

    def samples_needed(self, max_drop: float, *, confidence: float) -> int | None:
        """About how many samples would prove the budget: the width of an interval falls with the root of their number.

        Returns:
            None where no number does: the drop is as large as the budget.
        """
        room, width = max_drop - self.drop, self.interval(confidence=confidence).high - self.drop
        return math.ceil(self.n * max(width / room, 1.0) ** 2) if room > 0 else None

    def amount(self, value: float) -> str:
        """A drop with its unit."""
        return amount(value, is_share=self.first.is_share)
