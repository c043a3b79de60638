"""What differs between a file and one that the device has: where they are alike, only their differences travel.

Two trainings of one network give files of one layout with few equal bytes, so that a search for equal stretches (LZ77
with the old file as its dictionary, content-defined chunks) finds little; but weights that were trained on move by
small steps, and the differences of aligned bytes are small numbers, which deflate packs. So aligned stretches travel
as differences, as bsdiff's do (Percival, "Naive differences of executable code", 2003). docs/adr/0016 has measurements.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from device_agents.linux.protocol import DELTA_ADD, DELTA_COPY, DELTA_INSERT, DELTA_OPERATION

LIMIT_BYTES = 16 * 1024 * 1024
"""Longer files travel without a delta."""

_BLOCK = 256
"""Bytes that are encoded one way; the header of an operation is worth five per cent of them."""

_LONG_COPY = 16
"""So many equal blocks in a row are worth an operation of their own; fewer are differences of zero."""

_SHIFTS = 8
"""Distances between equal stretches that are tried, the most frequent ones."""

_STEP = 256 * 1024
_SEGMENT = 1024 * 1024
_WINDOW = 32
_FACTOR = np.uint64(0x9E3779B97F4A7C15)  # 2^64 over the golden ratio: Knuth, The Art of Computer Programming 3, 6.4
_RARE = np.uint64(59)
"""A hash whose upper five bits are zero marks an anchor, in one place of 32."""

_Bytes = NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class Operation:
    """A stretch of the file.

    Attributes:
        kind: one of `protocol.DELTA_KINDS`.
        begin, end: its bytes.
        shift: what is to be added to their positions to find them in the base; 0 for an insertion.
    """

    kind: int
    begin: int
    end: int
    shift: int


@dataclass(frozen=True, kw_only=True)
class Delta:
    """A file as what differs from another one.

    Attributes:
        base_sha256: the blob that the device has.
        operations: in the order of the file, without gaps.
    """

    base_sha256: str
    operations: tuple[Operation, ...]
    _new: _Bytes = field(repr=False)
    _old: _Bytes = field(repr=False)

    @classmethod
    def between(cls, data: bytes, base: bytes, base_sha256: str) -> Delta:
        """Find out what makes `data` from `base`."""
        new, old = np.frombuffer(data, np.uint8), np.frombuffer(base, np.uint8)
        return cls(base_sha256=base_sha256, operations=tuple(_operations(new, old)), _new=new, _old=old)

    def pieces(self, begin: int, end: int) -> Iterator[tuple[bytes, int]]:
        """Encoded operations for a stretch of the file, each with the number of bytes that it stands for."""
        for operation in self.operations:
            first, last = max(operation.begin, begin), min(operation.end, end)
            for at in range(first, last, _STEP):
                until = min(at + _STEP, last)
                yield self._encoded(operation, at, until), until - at

    def _encoded(self, operation: Operation, begin: int, end: int) -> bytes:
        kind = operation.kind
        at = 0 if kind == DELTA_INSERT else begin + operation.shift
        head = DELTA_OPERATION.pack(kind, end - begin, at)
        if kind == DELTA_COPY:
            return head
        new = self._new[begin:end]
        return head + (new if kind == DELTA_INSERT else new - self._old[at : at + end - begin]).tobytes()


def _operations(new: _Bytes, old: _Bytes) -> Iterator[Operation]:
    """The cheapest way for each block, and neighbours of one way together."""
    shifts = _shifts(new, old)
    ways = _ways(new, old, shifts)
    edges = np.flatnonzero(np.diff(ways)) + 1
    latest: Operation | None = None
    for first, last in zip([0, *edges.tolist()], [*edges.tolist(), len(ways)], strict=True):
        if first == last:
            continue
        index, is_equal = divmod(int(ways[first]), 2)
        kind = DELTA_INSERT if index == len(shifts) else DELTA_ADD
        if is_equal and last - first >= _LONG_COPY:
            kind = DELTA_COPY
        shift = 0 if kind == DELTA_INSERT else shifts[index]
        begin, end = first * _BLOCK, min(last * _BLOCK, len(new))
        if latest is not None and (latest.kind, latest.shift) == (kind, shift):
            begin = latest.begin
        elif latest is not None:
            yield latest
        latest = Operation(kind=kind, begin=begin, end=end, shift=shift)
    if latest is not None:
        yield latest


def _ways(new: _Bytes, old: _Bytes, shifts: list[int]) -> NDArray[np.int64]:
    """For each block twice the index of its shift (their number for an insertion), and one more if it is equal."""
    starts = np.arange(0, len(new), _BLOCK)
    ends = np.minimum(starts + _BLOCK, len(new))
    least = _cost(new, _insertion_table(new), starts) * 0.95  # an addition has to be worth its header
    ways = np.full(len(starts), 2 * len(shifts))
    for index, shift in enumerate(shifts):
        first, last = max(0, -shift), min(len(new), len(old) - shift)
        if first >= last:
            continue
        difference = new.copy()
        difference[first:last] -= old[first + shift : last + shift]
        cost = np.where((starts >= first) & (ends <= last), _cost(difference, _DIFFERENCE_TABLE, starts), np.inf)
        is_better = cost < least
        is_equal = np.maximum.reduceat(difference, starts) == 0
        ways[is_better] = 2 * index + is_equal[is_better]
        least[is_better] = cost[is_better]
    return ways


def _cost(data: _Bytes, table: _Bytes, starts: NDArray[np.int64]) -> NDArray[np.float64]:
    """About how many eighths of a bit each block takes."""
    costs: NDArray[np.float64] = np.add.reduceat(table[data], starts, dtype=np.float64)
    return costs


def _difference_table() -> _Bytes:
    """Eighths of a bit for each difference: next to nothing for zero, 3 bits for one, 10 for the greatest."""
    size = np.minimum(np.arange(256), 256 - np.arange(256))
    return np.where(size == 0, 1, 8 * (3 + np.log2(np.maximum(size, 1)))).astype(np.uint8)


_DIFFERENCE_TABLE = _difference_table()


def _insertion_table(new: _Bytes) -> _Bytes:
    """Eighths of a bit for each byte by its frequency in the file (Shannon), as deflate's Huffman codes get near it."""
    counts = np.maximum(np.bincount(new, minlength=256), 1)
    table: _Bytes = np.clip(-8 * np.log2(counts / counts.sum()), 1, 255).astype(np.uint8)
    return table


def _shifts(new: _Bytes, old: _Bytes) -> list[int]:
    """Distances worth trying: none, that of files that end alike, and the most frequent ones between equal windows."""
    (new_hashes, new_at), (old_hashes, old_at) = _anchors(new), _anchors(old)
    _, first, second = np.intersect1d(new_hashes, old_hashes, assume_unique=True, return_indices=True)
    found, counts = np.unique(old_at[second] - new_at[first], return_counts=True)
    frequent = found[np.argsort(-counts, kind="stable")][:_SHIFTS]
    return list(dict.fromkeys([0, len(old) - len(new), *frequent.tolist()]))


def _anchors(data: _Bytes) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Hashes that occur once, of windows chosen by their content alone, and where they are.

    What chooses a window moves with it, so that equal stretches have equal anchors wherever they lie (the idea behind
    content-defined chunks: Muthitacharoen et al., "A low-bandwidth network file system", SOSP 2001).
    """
    hashes, places = [np.empty(0, np.uint64)], [np.empty(0, np.int64)]
    for start in range(0, len(data) - _WINDOW + 1, _SEGMENT):
        hashed = _window_hashes(data[start : start + _SEGMENT + _WINDOW - 1])
        chosen = np.flatnonzero(hashed >> _RARE == 0)
        hashes.append(hashed[chosen])
        places.append(chosen + start)
    values, at, counts = np.unique(np.concatenate(hashes), return_index=True, return_counts=True)
    return values[counts == 1], np.concatenate(places)[at[counts == 1]]


def _window_hashes(segment: _Bytes) -> NDArray[np.uint64]:
    """A hash of the 32 bytes from each place on: a polynomial over their four words, modulo 2^64."""
    words = np.empty(len(segment) - 7, np.uint64)
    for first in range(8):
        whole = (len(segment) - first) // 8 * 8
        words[first::8] = segment[first : first + whole].view("<u8")
    count = len(segment) - _WINDOW + 1
    hashed = words[:count].copy()
    for word in range(8, _WINDOW, 8):
        hashed *= _FACTOR
        hashed += words[word : word + count]
    hashed ^= hashed >> np.uint64(29)
    hashed *= _FACTOR
    return hashed
