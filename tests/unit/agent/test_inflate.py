"""Compressed payloads, decoded: every stream comes out as it went in, and nothing else comes out at all."""

from __future__ import annotations

import random
import tracemalloc
import zlib
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_agents.linux.errors import AgentError
from device_agents.linux.inflate import inflate

MIB = 1024 * 1024
DATA = random.Random(1).randbytes(3000) + bytes(50_000) + b"four in five are zero" * 900


def deflate(data: bytes, level: int = 9) -> bytes:
    packer = zlib.compressobj(level, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()


def cut(data: bytes, size: int) -> Iterator[memoryview]:
    """Pieces in one buffer that is used again, as the channel hands them out."""
    buffer = bytearray(size)
    for start in range(0, len(data), size):
        piece = data[start : start + size]
        buffer[: len(piece)] = piece
        yield memoryview(buffer)[: len(piece)]


def _gather(pieces: Iterator[bytes], into: bytearray) -> None:
    for piece in pieces:
        into += piece


def refusal(stream: bytes, size: int, chunk: int = 4096) -> tuple[AgentError, bytes]:
    """The error that a stream ends with, and what was decoded before it."""
    decoded = bytearray()
    with pytest.raises(AgentError) as refused:
        _gather(inflate(cut(stream, chunk), size), decoded)
    return refused.value, bytes(decoded)


@given(data=st.binary(max_size=5000), level=st.integers(0, 9), repeat=st.integers(1, 200), chunk=st.integers(1, 9000))
def test_stream_comes_out_as_it_went_in_however_it_is_cut(data: bytes, level: int, repeat: int, chunk: int) -> None:
    whole = data * repeat

    assert b"".join(inflate(cut(deflate(whole, level), chunk), len(whole))) == whole


@pytest.mark.parametrize("chunk", [1, 7, 4096])
def test_stream_of_a_byte_more_than_announced_is_refused(chunk: int) -> None:
    error, decoded = refusal(deflate(DATA), len(DATA) - 1, chunk)

    assert (error.code, "announced" in error.message) == ("E_VERIFY", True)
    assert len(decoded) < len(DATA)


def test_bomb_is_refused_before_it_is_unpacked() -> None:
    bomb = deflate(bytes(64 * MIB))
    tracemalloc.start()

    error, decoded = refusal(bomb, 2 * MIB, MIB)

    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (error.code, "announced" in error.message) == ("E_VERIFY", True)
    assert decoded == bytes(len(decoded))
    assert len(decoded) <= 2 * MIB
    assert peak_bytes < 8 * MIB


def test_big_stream_is_decoded_in_a_fixed_amount_of_memory() -> None:
    stream = deflate(bytes(32 * MIB))
    tracemalloc.start()

    total = sum(map(len, inflate(cut(stream, MIB), 32 * MIB)))

    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert total == 32 * MIB
    assert peak_bytes < 4 * MIB


def test_stream_that_stands_for_nothing_and_goes_on_is_refused() -> None:
    def empty_blocks() -> Iterator[bytes]:
        for _ in range(100):
            yield b"\0\0\0\xff\xff" * 100

    with pytest.raises(AgentError, match="arrive for 1000") as refused:
        list(inflate(empty_blocks(), 1000))

    assert refused.value.code == "E_VERIFY"


@pytest.mark.parametrize("tail", [b"\0", b"more", deflate(b"another")])
@pytest.mark.parametrize("apart", [True, False])
def test_something_behind_the_end_is_refused(tail: bytes, apart: bool) -> None:
    stream = deflate(DATA)

    with pytest.raises(AgentError, match="follows its end") as refused:
        list(inflate([stream, tail] if apart else [stream + tail], len(DATA)))

    assert refused.value.code == "E_VERIFY"


@pytest.mark.parametrize(
    "stream",
    [b"\x07 is no type of block", b"\xff" * 100, zlib.compress(DATA), b"\x1f\x8b" + deflate(DATA)],
    ids=["block type", "ones", "zlib's header", "gzip's magic"],
)
def test_what_is_no_deflate_stream_is_refused(stream: bytes) -> None:
    error, _ = refusal(stream, len(DATA))

    assert error.code == "E_VERIFY"


def test_stream_that_is_cut_anywhere_gives_a_beginning_and_a_protocol_error() -> None:
    stream = deflate(DATA)

    for end in range(0, len(stream), 13):
        error, decoded = refusal(stream[:end], len(DATA))
        assert error.code == "E_PROTOCOL"
        assert DATA.startswith(decoded)


def test_stream_that_lacks_only_its_end_is_not_whole() -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    unfinished = packer.compress(DATA) + packer.flush(zlib.Z_SYNC_FLUSH)

    error, decoded = refusal(unfinished, len(DATA))

    assert (error.code, decoded) == ("E_PROTOCOL", DATA)
