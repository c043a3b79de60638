"""Content-defined chunks, the rival of edgekit's deltas in `scripts/bench delta`."""

from __future__ import annotations

import random

import pytest

from benchmarks import _content_chunks
from benchmarks._content_chunks import chunked_bytes

DATA = random.Random(1).randbytes(20_000)


def chunks(data: bytes, average: int) -> list[bytes]:
    return list(_content_chunks._chunks(data, _content_chunks._hashes(data), average))


def test_hash_is_that_of_the_last_64_bytes() -> None:
    def gear(data: bytes) -> int:
        value = 0
        for byte in data:
            value = (2 * value + int(_content_chunks._GEAR[byte])) % 2**64
        return value

    found = _content_chunks._hashes(DATA[:300]).tolist()

    assert found == [gear(DATA[max(0, end - 64) : end]) for end in range(1, 301)]


@pytest.mark.parametrize("data", [b"", b"x", bytes(5_000), DATA])
@pytest.mark.parametrize("average", [128, 1024])
def test_chunks_are_the_file_and_keep_their_limits(data: bytes, average: int) -> None:
    found = chunks(data, average)

    assert b"".join(found) == data
    assert all(len(chunk) <= 4 * average for chunk in found)
    assert all(len(chunk) >= average // 4 for chunk in found[:-1])


def test_chunks_are_about_as_large_as_they_should_be() -> None:
    found = chunks(random.Random(2).randbytes(400_000), 1024)

    assert 700 < 400_000 / len(found) < 1700


def test_insertion_costs_the_chunks_around_it_and_the_index() -> None:
    changed = DATA[:9_000] + b"something else" + DATA[9_000:]

    bytes_sent, average = chunked_bytes(changed, DATA)

    index = 32 * len(chunks(changed, average))
    assert index < bytes_sent < index + 8 * average


def test_equal_files_cost_the_index_alone() -> None:
    bytes_sent, average = chunked_bytes(DATA, DATA)

    assert bytes_sent == 32 * len(chunks(DATA, average))
