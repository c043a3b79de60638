"""In which order a training sees its samples, and which it holds back: by seeds, the same everywhere."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def order(count: int, *entropy: int) -> NDArray[np.intp]:
    """A permutation of `count` positions, from PCG64's raw stream, which NumPy keeps across versions."""
    raw = np.random.PCG64(np.random.SeedSequence(entropy)).random_raw(count)
    return np.argsort(raw, kind="stable")


def split(count: int, share: float, seed: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Positions to train on and positions held back, disjoint, each ascending; at least one is held back."""
    held = 0 if share == 0 else max(1, round(count * share))
    chosen = order(count, seed)
    return np.sort(chosen[held:]), np.sort(chosen[:held])
