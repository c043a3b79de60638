"""Codebooks: few values that many weights share, found by k-means, and positions in them packed into bytes.

Deep Compression, Han et al. 2016, arXiv 1510.00149, section 3. Plain NumPy.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MOST = 256
"""Values of one codebook: a position fits a byte."""
_ROUNDS = 100
_WIDTHS = (1, 2, 4, 8)


@dataclass(frozen=True, kw_only=True)
class Coded:
    """A weight tensor as codebooks and positions in them.

    Attributes:
        books: float32 of shape [codebooks, values]; one for the tensor, or one an output channel.
        codes: positions, uint8 of the tensor's shape.
    """

    books: NDArray[np.float32]
    codes: NDArray[np.uint8]

    def values(self) -> NDArray[np.float32]:
        """The tensor."""
        rows = self.codes.reshape(len(self.books), -1).astype(np.intp)
        return np.take_along_axis(self.books, rows, axis=1).reshape(self.codes.shape)

    @property
    def bits(self) -> int:
        """Of one position when it is packed: 1, 2, 4 or 8."""
        return next(width for width in _WIDTHS if self.books.shape[1] <= 1 << width)

    @property
    def size_bytes(self) -> int:
        """Of codebooks and packed positions."""
        return self.books.nbytes + -(-self.codes.size * self.bits // 8)


def cluster(
    weights: NDArray[np.float32], clusters: int, *, start: str, per_channel: bool, keep_zeros: bool, seed: int
) -> Coded:
    """Codebooks that are close to a tensor, by k-means (Lloyd's rounds, in float64).

    Args:
        weights: of any shape, the first axis for output channels.
        clusters: values of a codebook, at most 256.
        start: of the first values. "linear": even steps from the lowest weight to the highest; "density": even steps of
            the weights' distribution; "random": weights drawn at random; "kmeans++": weights that lie far from each
            other (Arthur and Vassilvitskii 2007).
        per_channel: a codebook for each output channel.
        keep_zeros: zeros stay zero, which takes one of the values.
        seed: of "random" and "kmeans++".
    """
    rows = weights.reshape(len(weights) if per_channel else 1, -1).astype(np.float64)
    random = np.random.default_rng(seed)
    books = np.stack([_book(row, clusters, start, keep_zeros, random) for row in rows])
    codes = np.stack([_nearest(row, book, keep_zeros) for row, book in zip(rows, books, strict=True)])
    return Coded(books=books.astype(np.float32), codes=codes.astype(np.uint8).reshape(weights.shape))


def _book(
    row: NDArray[np.float64], clusters: int, start: str, keep_zeros: bool, random: np.random.Generator
) -> NDArray[np.float64]:
    """Values in ascending order; with `keep_zeros` the first is zero and the others follow."""
    weights = row[row != 0] if keep_zeros else row
    number = clusters - keep_zeros
    different = np.unique(weights)
    if len(different) <= number:
        last = different[-1:] if len(different) else np.zeros(1)
        values = np.concatenate([different, np.repeat(last, number - len(different))])
    else:
        values = _settled(np.sort(weights), np.sort(_first(weights, different, number, start, random)))
    return np.concatenate([np.zeros(1), values]) if keep_zeros else values


def _first(
    weights: NDArray[np.float64], different: NDArray[np.float64], number: int, start: str, random: np.random.Generator
) -> NDArray[np.float64]:
    if start == "linear":
        return np.linspace(different[0], different[-1], number)
    if start == "density":
        return np.quantile(weights, (np.arange(number) + 0.5) / number)
    if start == "random":
        return random.choice(different, number, replace=False)
    chosen = [float(random.choice(weights))]
    gaps = (weights - chosen[0]) ** 2
    while len(chosen) < number:
        chosen.append(float(random.choice(weights, p=gaps / gaps.sum())))
        gaps = np.minimum(gaps, (weights - chosen[-1]) ** 2)
    return np.array(chosen)


def _settled(weights: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Lloyd's rounds on sorted weights: each value becomes the mean of those nearest to it; one with none stays."""
    sums = np.concatenate([np.zeros(1), np.cumsum(weights)])
    for _ in range(_ROUNDS):
        edges = np.searchsorted(weights, (values[1:] + values[:-1]) / 2)
        begins, ends = np.concatenate([[0], edges]), np.concatenate([edges, [len(weights)]])
        counts = ends - begins
        moved = np.where(counts > 0, (sums[ends] - sums[begins]) / np.maximum(counts, 1), values)
        if np.array_equal(moved, values):
            break
        values = np.sort(moved)
    return values


def _nearest(row: NDArray[np.float64], book: NDArray[np.float64], keep_zeros: bool) -> NDArray[np.intp]:
    values = book[1:] if keep_zeros else book
    found = np.searchsorted((values[1:] + values[:-1]) / 2, row)
    return np.where(row == 0, 0, found + 1) if keep_zeros else found


def recovered(weights: NDArray[np.float32]) -> Coded | None:
    """Codebooks that hold exactly the values of a tensor: one, or one an output channel, whichever is smaller.

    Returns:
        None where the tensor holds too many values for its codes to be smaller than itself.
    """
    found = [coded for rows in {1, len(weights)} if (coded := _exact(weights, rows)) is not None]
    best = min(found, key=lambda coded: coded.size_bytes, default=None)
    return best if best is not None and best.size_bytes < weights.nbytes else None


def _exact(weights: NDArray[np.float32], rows: int) -> Coded | None:
    books, codes = [], []
    for row in weights.reshape(rows, -1):
        values, places = np.unique(row, return_inverse=True)
        if len(values) > MOST:
            return None
        books.append(values)
        codes.append(places.astype(np.uint8))
    width = max(map(len, books))
    padded = np.stack([np.pad(book, (0, width - len(book)), mode="edge") for book in books])
    return Coded(books=padded, codes=np.stack(codes).reshape(weights.shape))


def packed(coded: Coded) -> NDArray[np.uint8]:
    """The positions in a row, several a byte, the first in the lowest bits; zeros fill the last byte."""
    a_byte = 8 // coded.bits
    flat = coded.codes.reshape(-1)
    columns = np.pad(flat, (0, -len(flat) % a_byte)).reshape(-1, a_byte)
    total = np.zeros(len(columns), np.uint8)
    for place in range(a_byte):
        total |= columns[:, place] << np.uint8(place * coded.bits)
    return total
