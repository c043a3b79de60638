"""Deltas on the host: what is found to be alike, and how little travels then."""

from __future__ import annotations

import io
import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_agents.linux.protocol import DELTA_ADD, DELTA_COPY, DELTA_INSERT, DELTA_OPERATION
from edgekit.device.delta import Delta
from edgekit.device.upload import delta_bytes, delta_gains, transfer_bytes

CHANCE = np.random.default_rng(1)
BASE = CHANCE.integers(0, 256, 400_000, np.uint8).tobytes()


def between(data: bytes, base: bytes) -> Delta:
    return Delta.between(data, base, "0" * 64)


def made(delta: Delta, base: bytes, begin: int, end: int) -> bytes:
    """What the operations stand for, by the words of docs/protocol.md."""
    plain, out = b"".join(piece for piece, _ in delta.pieces(begin, end)), b""
    while plain:
        kind, count, at = DELTA_OPERATION.unpack_from(plain)
        plain, old = plain[DELTA_OPERATION.size :], base[at : at + count]
        new, plain = (b"", plain) if kind == DELTA_COPY else (plain[:count], plain[count:])
        if kind == DELTA_ADD:
            new = bytes((one + other) % 256 for one, other in zip(new, old, strict=True))
        out += old if kind == DELTA_COPY else new
    return out


def kinds(delta: Delta) -> list[int]:
    return [operation.kind for operation in delta.operations]


@given(base=st.binary(max_size=3000), data=st.binary(max_size=3000), repeat=st.integers(1, 5), cut=st.floats(0, 1))
def test_operations_stand_for_the_file_from_any_byte_to_any_other(
    base: bytes, data: bytes, repeat: int, cut: float
) -> None:
    new = base[len(base) // 3 :] + data * repeat + base
    delta = between(new, base)
    begin = int(cut * len(new))

    assert made(delta, base, 0, len(new)) == new
    assert made(delta, base, begin, len(new)) == new[begin:]
    assert sum(size for _, size in delta.pieces(begin, len(new))) == len(new) - begin


def test_operations_have_no_gaps_and_neighbours_differ() -> None:
    delta = between(BASE[:100_000] + b"?" * 777 + BASE[100_000:], BASE)

    ends = [0, *(operation.end for operation in delta.operations)]
    assert [operation.begin for operation in delta.operations] == ends[:-1]
    ways = [(operation.kind, operation.shift) for operation in delta.operations]
    assert all(one != other for one, other in itertools.pairwise(ways))


def test_equal_file_is_one_copy() -> None:
    assert kinds(between(BASE, BASE)) == [DELTA_COPY]


def test_moved_stretch_is_found_where_it_lies_now() -> None:
    new = BASE[200_001:] + CHANCE.integers(0, 256, 50_000, np.uint8).tobytes() + BASE[:200_001]

    assert delta_bytes(between(new, BASE), len(new)) < 53_000


def test_steps_of_weights_travel_as_differences() -> None:
    weights = np.frombuffer(BASE, np.uint8)
    trained = (weights + CHANCE.integers(-1, 2, weights.size).astype(np.uint8)).tobytes()

    delta = between(trained, BASE)

    assert kinds(delta) == [DELTA_ADD]
    assert delta_bytes(delta, len(trained)) < 0.3 * len(trained)
    assert transfer_bytes(trained) == len(trained)


def test_file_that_has_nothing_in_common_is_inserted() -> None:
    other = CHANCE.integers(0, 256, 300_000, np.uint8).tobytes()

    assert kinds(between(other, BASE)) == [DELTA_INSERT]
    assert not delta_gains(between(other, BASE), io.BytesIO(other), len(other))


def test_delta_has_to_beat_deflate() -> None:
    zeros = bytes(300_000)

    assert not delta_gains(between(zeros, BASE), io.BytesIO(zeros), len(zeros))
    assert delta_gains(between(BASE, BASE), io.BytesIO(BASE), len(BASE))


@pytest.mark.parametrize("size", [0, 1, 31, 255, 256, 257])
def test_short_files_have_deltas_too(size: int) -> None:
    data = BASE[5 : 5 + size]

    assert made(between(data, BASE), BASE, 0, size) == data


def test_same_files_give_the_same_bytes() -> None:
    new = BASE[7:150_000] + BASE
    first, second = (b"".join(piece for piece, _ in between(new, BASE).pieces(0, len(new))) for _ in range(2))

    assert first == second
