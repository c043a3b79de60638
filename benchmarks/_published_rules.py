"""The regression rules that two other tools publish, applied to raw samples."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

Rule = Callable[["NDArray[Any]", "NDArray[Any]"], bool]
"""Whether the second samples, in nanoseconds, are called a regression of the first."""


def edgegate(first: NDArray[Any], second: NDArray[Any]) -> bool:
    """Of edgegate 0.2.0: the 99th percentile rises by more than 10 % and by more than 0.5 ms."""
    before, after = np.percentile(first, 99), np.percentile(second, 99)
    return bool(after > 1.10 * before and after - before > 500_000)


def edgelens(first: NDArray[Any], second: NDArray[Any]) -> bool:
    """Of edgelens 0.1.0: frames per second fall by more than 5 %, or the 95th percentile rises by more than 5 %."""
    slower = np.mean(first) / np.mean(second) < 0.95
    return bool(slower or np.percentile(second, 95) > 1.05 * np.percentile(first, 95))


RULES: Mapping[str, Rule] = {
    "edgegate 0.2.0 (p99 +10 % and +0.5 ms)": edgegate,
    "edgelens 0.1.0 (frames/s -5 % or p95 +5 %)": edgelens,
}
