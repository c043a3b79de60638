"""What a store of content-defined chunks would send for the next release: a rival of edgekit's deltas."""

from __future__ import annotations

import hashlib
import itertools
import random
from collections.abc import Iterator

import numpy as np

from edgekit.device.upload import transfer_bytes

AVERAGES = (128, 256, 512, 1024, 4096, 16384, 65536)
"""Bytes of a chunk on average; 65536 is desync's and casync's own, the small ones are kinder to small models."""

_WINDOW = 64
_DIGEST_BYTES = 32
_GEAR = np.frombuffer(random.Random(7).randbytes(8 * 256), np.uint64)  # noqa: S311 -- no secret


def chunked_bytes(new: bytes, old: bytes) -> tuple[int, int]:
    """The fewest bytes that would travel, and the average size of chunks that this takes.

    A SHA-256 for each chunk of the new file, as desync's index has them, and what no chunk of the old file holds,
    packed like any other upload.

    Args:
        new: the file that is to be put together.
        old: the one that is there.
    """
    cuts_new, cuts_old = _hashes(new), _hashes(old)

    def sent(average: int) -> int:
        there = {hashlib.sha256(chunk).digest() for chunk in _chunks(old, cuts_old, average)}
        chunks = list(_chunks(new, cuts_new, average))
        missing = {hashlib.sha256(chunk).digest(): chunk for chunk in chunks}
        rest = b"".join(chunk for digest, chunk in missing.items() if digest not in there)
        return len(chunks) * _DIGEST_BYTES + (transfer_bytes(rest) if rest else 0)

    return min((sent(average), average) for average in AVERAGES)


def _hashes(data: bytes) -> np.ndarray:
    """The gear hash behind each byte: of the last 64 bytes (Xia and others, "FastCDC", USENIX ATC 2016)."""
    values = _GEAR[np.frombuffer(data, np.uint8)]
    found = np.zeros(len(data), np.uint64)
    for age in range(min(_WINDOW, len(data))):
        found[age:] += values[: len(data) - age] << np.uint64(age)
    return found


def _chunks(data: bytes, hashes: np.ndarray, average: int) -> Iterator[bytes]:
    """Cut where the upper bits of the hash are zero; a quarter of the average at least, four times as much at most."""
    bits = np.uint64(64 - (average.bit_length() - 1))
    places = [*(np.flatnonzero(hashes >> bits == 0) + 1).tolist(), len(data)]
    cuts = [0]
    for place in places:
        while place - cuts[-1] > 4 * average:
            cuts.append(cuts[-1] + 4 * average)
        if place - cuts[-1] >= average // 4 or place == len(data):
            cuts.append(place)
    for begin, end in itertools.pairwise(cuts):
        if end > begin:
            yield data[begin:end]
