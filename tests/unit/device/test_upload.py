"""What travels of an upload: compressed where that gains, the same bytes each time, in little memory."""

from __future__ import annotations

import io
import random
import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.device.upload import deflate_gains, deflated, transfer_bytes

MIB = 1024 * 1024
SPARSE = bytes(random.Random(1).choices(range(12), k=MIB // 4))
NOISE = random.Random(2).randbytes(MIB)


def gains(data: bytes) -> bool:
    return deflate_gains(io.BytesIO(data), len(data))


@given(data=st.binary(max_size=4000), repeat=st.integers(1, 100), chunk=st.integers(1, 5000))
def test_stream_stands_for_the_chunks_and_has_no_empty_piece(data: bytes, repeat: int, chunk: int) -> None:
    whole = data * repeat

    pieces = list(deflated((whole[at : at + chunk] for at in range(0, len(whole), chunk)), len(whole)))

    assert all(pieces)
    assert zlib.decompress(b"".join(pieces), -15) == whole


@pytest.mark.parametrize("data", [SPARSE, SPARSE * 3], ids=["level 9", "level 1"])
def test_stream_does_not_depend_on_the_chunks(data: bytes) -> None:
    streams = {
        b"".join(deflated((data[at : at + chunk] for at in range(0, len(data), chunk)), len(data)))
        for chunk in (4097, 256 * 1024, len(data))
    }

    assert len(streams) == 1


def test_small_model_travels_as_it_would_lie_in_a_zip_archive() -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)

    assert transfer_bytes(SPARSE) == len(packer.compress(SPARSE) + packer.flush())
    assert transfer_bytes(SPARSE) < 0.6 * len(SPARSE)


@pytest.mark.parametrize("data", [b"", b"?", b"\0\0\0\0", NOISE, NOISE * 3], ids=len)
def test_bytes_that_do_not_get_smaller_travel_as_they_are(data: bytes) -> None:
    assert not gains(data)
    assert transfer_bytes(data) == len(data)


def test_a_tenth_is_the_least_gain() -> None:
    assert gains(NOISE[: 800 * 1024] + bytes(200 * 1024))
    assert not gains(NOISE[: 950 * 1024] + bytes(50 * 1024))


def test_gain_is_judged_by_all_parts_of_the_bytes() -> None:
    assert gains(NOISE + bytes(7 * MIB))
    assert gains(bytes(7 * MIB) + NOISE)


def test_source_that_shrank_is_judged_by_what_is_left() -> None:
    assert gains(SPARSE[:1000])
    assert not deflate_gains(io.BytesIO(b""), 10_000)


def test_big_upload_is_compressed_in_a_fixed_amount_of_memory() -> None:
    chunk = SPARSE
    tracemalloc.start()

    total = sum(map(len, deflated((chunk for _ in range(40)), 40 * len(chunk))))

    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert 0 < total < 24 * len(chunk)
    assert peak_bytes < 2 * MIB
