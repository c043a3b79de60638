"""Spectrograms of spoken digits, as the keyword networks of the benchmarks take them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_RATE_HZ, _WINDOW, _HOP, _BANDS = 8000, 256, 128, 24


def log_mel(waves: NDArray[Any]) -> NDArray[np.float64]:
    """Logarithm of the energy in 24 triangular bands (HTK's mel scale).

    Args:
        waves: of shape [samples, time], 8 kHz, -1 to 1.

    Returns:
        Shape [samples, bands, frames]; 61 frames a second.
    """
    starts = range(0, waves.shape[1] - _WINDOW + 1, _HOP)
    frames = np.stack([waves[:, start : start + _WINDOW] for start in starts], axis=1) * np.hanning(_WINDOW)
    power = np.abs(np.fft.rfft(frames)) ** 2
    top = 2595 * np.log10(1 + _RATE_HZ / 2 / 700)
    edges = 700 * (10 ** (np.linspace(0, top, _BANDS + 2) / 2595) - 1) / _RATE_HZ * _WINDOW
    bins = np.arange(power.shape[-1])
    rising = (bins - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - bins) / (edges[2:] - edges[1:-1])[:, None]
    filters = np.clip(np.minimum(rising, falling), 0, None)
    energies: NDArray[np.float64] = np.log(power @ filters.T + 1e-6)
    return energies.transpose(0, 2, 1)
