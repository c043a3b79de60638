"""What calibration remembers of a tensor: a few numbers and counts of fixed size, however many samples there are."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

SMOOTHING = 0.95
"""Weight of the past in the moving average, as litert-quantizer has it. Jacob et al. 2018 (arXiv:1712.05877, section
3.1) say "close to 1"; theirs follows thousands of training steps, ours a hundred samples."""


@dataclass(kw_only=True)
class Extremes:
    """Least and greatest value of a tensor over the samples, and their exponential moving averages.

    Attributes:
        low, high: over all samples; infinite before the first value.
        average_low, average_high: moving averages of each sample's own least and greatest value.
    """

    low: float = np.inf
    high: float = -np.inf
    average_low: float = np.nan
    average_high: float = np.nan

    def add(self, values: NDArray[Any]) -> None:
        """Take in one sample's values, any shape; infinities and NaN are left out (padding with -inf is common)."""
        values = finite(values)
        if not values.size:
            return
        low, high = float(values.min()), float(values.max())
        self.low, self.high = min(self.low, low), max(self.high, high)
        self.average_low = _averaged(self.average_low, low)
        self.average_high = _averaged(self.average_high, high)

    @property
    def is_empty(self) -> bool:
        """Whether there was no finite value."""
        return self.low > self.high


@dataclass(kw_only=True)
class Histogram:
    """Counts of a tensor's values in bins of one width.

    Attributes:
        low, high: edges of the whole; values beyond them count in the outermost bins.
        bins: how many.
        counts: of each bin, int64 of shape [bins].
    """

    low: float
    high: float
    bins: int
    counts: NDArray[np.int64] = field(init=False)

    def __post_init__(self) -> None:
        self.counts = np.zeros(self.bins, np.int64)

    @property
    def width(self) -> float:
        """Of one bin; 0 for a constant."""
        return (self.high - self.low) / self.bins

    @property
    def centers(self) -> NDArray[np.float64]:
        """Middle of each bin, shape [bins]."""
        return np.asarray(self.low + (np.arange(self.bins) + 0.5) * self.width, np.float64)

    def add(self, values: NDArray[Any]) -> None:
        """Take in one sample's values, any shape; infinities and NaN are left out."""
        values = finite(values).ravel().astype(np.float64)
        if self.width == 0:
            self.counts[0] += values.size
            return
        places = np.clip((values - self.low) / self.width, 0, self.bins - 1).astype(np.int64)
        self.counts += np.bincount(places, minlength=self.bins)

    def quantile(self, share: float) -> float:
        """The value below which a share of all values lies, 0 to 1; inside a bin they count as evenly spread."""
        total = np.cumsum(self.counts)
        if self.width == 0 or not total[-1]:
            return self.low if share < 0.5 else self.high
        wanted = share * total[-1]
        place = min(int(np.searchsorted(total, wanted)), self.bins - 1)
        while not self.counts[place]:  # share 0 points at the first value, not at an empty bin before it
            place += 1
        before = total[place] - self.counts[place]
        return float(self.low + (place + (wanted - before) / self.counts[place]) * self.width)


def finite(values: NDArray[Any]) -> NDArray[Any]:
    """The finite values; the array itself where all are."""
    fine = np.isfinite(values)
    return values if fine.all() else values[fine]


def _averaged(past: float, new: float) -> float:
    return new if np.isnan(past) else SMOOTHING * past + (1 - SMOOTHING) * new
