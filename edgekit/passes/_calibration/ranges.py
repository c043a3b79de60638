"""Where to cut a tensor's range: from its histogram to the least and greatest value that quantization keeps.

All rules serve an affine quantizer of 2**bits levels whose range holds zero (litert-quantizer stretches it so).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from edgekit.passes._calibration.histogram import Extremes, Histogram

Counts = NDArray[np.float64]
Range = tuple[float, float]
Divergence = Callable[[Counts, Counts], float]

_CANDIDATES = 128
_LEAST_RANGE = 1 / 64
"""No rule cuts a range to less than this share: below it a histogram of 2,048 bins has too few to judge by."""
_BLUR = 1e-4
"""Probability that is spread over all bins, so that no bin of one distribution alone makes a divergence infinite."""


def range_of(
    method: str, extremes: Extremes, histogram: Histogram | None, *, bits: int, percentile: float = 99.99
) -> Range:
    """The range of one tensor.

    Args:
        method: "min_max", "moving_average", "percentile", "mse", "kl", "symmetric_kl" or "js".
        extremes: of the tensor over all samples.
        histogram: of the same values; None for the methods that need none.
        bits: of the quantized tensor, 8 or 16.
        percentile: share of the values to keep, in percent, for "percentile".
    """
    if extremes.is_empty:
        return 0.0, 0.0
    if method == "moving_average":
        return extremes.average_low, extremes.average_high
    full = (extremes.low, extremes.high)
    if method == "min_max" or histogram is None or extremes.low == extremes.high:
        return full
    if method == "percentile":
        return _within(percentile_range(histogram, percentile), full)
    if method == "mse":
        return _within(mse_range(histogram, levels=2**bits), full)
    return _within(divergence_range(histogram, DIVERGENCES[method], levels=2**bits), full)


def percentile_range(histogram: Histogram, percentile: float) -> Range:
    """The range that keeps a share of the values; each tail loses half of the rest.

    The percentile of McKinstry et al. 2018 (arXiv:1809.04191) and Wu et al. 2020 (arXiv:2004.09602, section 3.3),
    which they take of |x| for a symmetric range; here of both tails, as the range is affine.
    """
    tail = (1 - percentile / 100) / 2
    return histogram.quantile(tail), histogram.quantile(1 - tail)


def mse_range(histogram: Histogram, *, levels: int) -> Range:
    """The range with the least mean squared quantization error, min E[(x - Q(x))^2].

    Nagel et al. 2021, "A White Paper on Neural Network Quantization" (arXiv:2106.08295, section 3.1, equation 24),
    searched on a grid: first both ends are cut at once, then each alone while the other stays.
    """

    def best(candidates: Iterator[Range] | list[Range]) -> Range:
        return min(candidates, key=lambda each: quantization_error(histogram, each, levels=levels))

    low, high = best(list(_cut(histogram.low, histogram.high)))
    shares = np.linspace(_LEAST_RANGE, 1, _CANDIDATES)[::-1]
    high = best([(low, high), *((low, float(histogram.high * share)) for share in shares if histogram.high > 0)])[1]
    return best([(low, high), *((float(histogram.low * share), high) for share in shares if histogram.low < 0)])


def quantization_error(histogram: Histogram, limits: Range, *, levels: int) -> float:
    """Mean squared difference between values and their quantized selves, each bin taken at its middle."""
    low, high = min(limits[0], 0.0), max(limits[1], 0.0)
    if low == high:
        return float(np.average(histogram.centers**2, weights=histogram.counts))
    step = (high - low) / (levels - 1)
    zero = np.rint(-low / step)
    quantized = (np.clip(np.rint(histogram.centers / step) + zero, 0, levels - 1) - zero) * step
    return float(np.average((histogram.centers - quantized) ** 2, weights=histogram.counts))


def divergence_range(histogram: Histogram, divergence: Divergence, *, levels: int) -> Range:
    """The range whose quantized distribution is closest to the float one.

    Migacz 2017, "8-bit Inference with TensorRT" (GTC S7310, "Entropy Calibration - pseudocode"): the reference P is the
    histogram inside the range with all that lies outside added to its outermost bins; the candidate Q is the same
    histogram without the outside, merged into `levels` groups and spread again over the bins that were not empty.
    There |x| is cut at one threshold; here both ends are cut at the threshold as far as they reach, so a tensor of one
    sign keeps all levels for it. Ranges of fewer bins than levels are not tried: quantization could not be seen there.
    Zeros do not count, as in NVIDIA's pytorch-quantization: behind a ReLU they are half of all values and always exact,
    yet spread over a level they would look like a loss (ResNet8 on CIFAR lost 11 points by it).
    """
    counts = _without_zeros(histogram)
    best, least = (histogram.low, histogram.high), np.inf
    for low, high in _cut(histogram.low, histogram.high):
        first = max(0, int(np.floor((low - histogram.low) / histogram.width)))
        last = min(histogram.bins, int(np.ceil((high - histogram.low) / histogram.width)))
        inside = counts[first:last]
        if len(inside) < min(levels, histogram.bins) or not inside.any():
            continue
        reference = inside.copy()
        reference[0] += counts[:first].sum()
        reference[-1] += counts[last:].sum()
        distance = divergence(_blurred(reference), _blurred(quantized_counts(inside, levels)))
        if distance < least - 1e-12:  # candidates come widest first, and only a real gain cuts anything
            best, least = (low, high), distance
    return best


def quantized_counts(counts: Counts, levels: int) -> Counts:
    """The counts merged into levels, each level's sum spread evenly over its bins that were not empty."""
    if len(counts) <= levels:
        return counts
    level = np.arange(len(counts)) * levels // len(counts)
    filled = counts > 0
    sums = np.bincount(level, weights=counts, minlength=levels)
    members = np.bincount(level, weights=filled, minlength=levels)
    share = np.divide(sums, members, out=np.zeros(levels), where=members > 0)
    return np.where(filled, share[level], 0.0)


def kl(p: Counts, q: Counts) -> float:
    """Kullback-Leibler divergence of q from p: the sum of p log(p / q), both without zeros."""
    return float(np.sum(p * np.log(p / q)))


def symmetric_kl(p: Counts, q: Counts) -> float:
    """Jeffreys' divergence (Jeffreys 1946; Kullback and Leibler 1951): the same both ways, added."""
    return kl(p, q) + kl(q, p)


def js(p: Counts, q: Counts) -> float:
    """Jensen-Shannon divergence (Lin 1991): the mean divergence of both from their mean; at most log 2."""
    mean = (p + q) / 2
    return (kl(p, mean) + kl(q, mean)) / 2


DIVERGENCES: dict[str, Divergence] = {"kl": kl, "symmetric_kl": symmetric_kl, "js": js}


def _cut(low: float, high: float) -> Iterator[Range]:
    """Ranges cut at a threshold of |x|, the whole first."""
    largest = max(abs(low), abs(high))
    for share in np.linspace(1, _LEAST_RANGE, _CANDIDATES):
        threshold = float(largest * share)
        candidate = max(low, -threshold), min(high, threshold)
        if candidate[0] < candidate[1]:
            yield candidate


def _without_zeros(histogram: Histogram) -> Counts:
    """The counts with the bin of zero as full as its neighbours are on average."""
    counts = histogram.counts.astype(np.float64)
    zero = int(-histogram.low // histogram.width)
    beside = [place for place in (zero - 1, zero + 1) if 0 <= place < len(counts)]
    if 0 <= zero < len(counts) and beside:
        counts[zero] = min(counts[zero], counts[beside].mean())
    return counts


def _blurred(counts: Counts) -> Counts:
    """As probabilities, none of them zero."""
    return np.asarray((1 - _BLUR) * counts / counts.sum() + _BLUR / len(counts), np.float64)


def _within(limits: Range, full: Range) -> Range:
    return max(limits[0], full[0]), min(limits[1], full[1])
