"""Uploads that travel as what differs from a blob of the device, and what is wrong with one leaves nothing behind."""

from __future__ import annotations

import io
import random
import zlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from device_agents.linux.delta import add
from device_agents.linux.protocol import DELTA_ADD, DELTA_COPY, DELTA_INSERT, DELTA_OPERATION
from edgekit.device.delta import Delta
from edgekit.device.upload import Upload
from edgekit.selftest.lab.agent_process import AgentProcess, RefusedError, sha256

KIB = 1024
BASE = random.Random(1).randbytes(700 * KIB)
NEW = BASE[: 300 * KIB] + b"new" * 1000 + bytes((byte + at % 3) % 256 for at, byte in enumerate(BASE[300 * KIB :]))


def stream(*operations: tuple[int, int, int, bytes], end: bytes = b"") -> bytes:
    """Operations (kind, count, at, bytes that follow) as they travel."""
    plain = b"".join(DELTA_OPERATION.pack(kind, count, at) + data for kind, count, at, data in operations) + end
    packer = zlib.compressobj(1, zlib.DEFLATED, -15)
    return packer.compress(plain) + packer.flush()


def payload(data: bytes, base: bytes, offset: int = 0) -> bytes:
    """What our own host sends from an offset on."""
    delta = Delta.between(data, base, sha256(base))
    upload = Upload(source=io.BytesIO(data), size_bytes=len(data), encoding="delta", delta=delta)
    pieces = (piece for piece, _ in upload.pieces([(offset, len(data))], 64 * KIB))
    return b"".join(upload.packed(pieces, len(data) - offset))


def stage(agent: AgentProcess, data: bytes, sent: bytes | None = None, *, base: bytes = BASE) -> dict:
    """Stage data as a delta, or another stream in its name."""
    return agent.request(
        "stage", sha256=sha256(data), size=len(data), encoding="delta", base=sha256(base),
        on_ready=lambda at: agent.send_frames(payload(data, base, at) if sent is None else sent),
    )  # fmt: skip


@pytest.fixture
def agent_with_base(agent: AgentProcess) -> AgentProcess:
    agent.stage(BASE)
    return agent


def test_delta_becomes_the_file(agent_with_base: AgentProcess, root: Path) -> None:
    assert len(payload(NEW, BASE)) < len(NEW) / 3

    assert stage(agent_with_base, NEW) == {"sha256": sha256(NEW), "sent": len(NEW), "already": False}

    assert (root / "blobs" / sha256(NEW)).read_bytes() == NEW
    assert list((root / "incoming").iterdir()) == []


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    base=st.binary(min_size=1, max_size=2000),
    new=st.binary(min_size=1, max_size=2000),
    repeat=st.integers(1, 20),
    frame_bytes=st.integers(1, 5000),
)
def test_any_file_becomes_any_other(
    shared_agent: AgentProcess, base: bytes, new: bytes, repeat: int, frame_bytes: int
) -> None:
    old, data = base * repeat, base[: len(base) // 2] + new * repeat + base
    shared_agent.stage(old)

    answer = shared_agent.request(
        "stage", sha256=sha256(data), size=len(data), encoding="delta", base=sha256(old),
        on_ready=lambda at: shared_agent.send_frames(payload(data, old, at), frame_bytes),
    )  # fmt: skip

    assert answer["sha256"] == sha256(data)


@given(whole=st.binary(max_size=600))
def test_bytes_are_added_modulo_256(whole: bytes) -> None:
    half = len(whole) // 2
    one, other = whole[:half], whole[half : 2 * half]

    assert add(one, other) == bytes((a + b) % 256 for a, b in zip(one, other, strict=True))


def test_delta_that_was_cut_off_goes_on_where_it_stopped(root: Path) -> None:
    whole = payload(NEW, BASE)
    with AgentProcess(root) as first:
        first.boot().stage(BASE)
        with pytest.raises(RefusedError, match="E_PROTOCOL"):
            stage(first, NEW, whole[: len(whole) // 2])

    with AgentProcess(root) as second:
        answer = stage(second.boot(), NEW)

    assert 0 < answer["sent"] < len(NEW)
    assert (root / "blobs" / sha256(NEW)).read_bytes() == NEW


COPY_ALL = (DELTA_COPY, len(BASE), 0, b"")
BAD_STREAMS = {
    "no such operation": stream((3, len(BASE), 0, b"")),
    "nothing": stream((DELTA_COPY, 0, 0, b""), COPY_ALL),
    "too much": stream((DELTA_COPY, len(BASE), 0, b""), (DELTA_COPY, 1, 0, b"")),
    "beyond the base": stream((DELTA_COPY, len(BASE), 1, b"")),
    "far beyond the base": stream((DELTA_COPY, len(BASE), 2**64 - 1, b"")),
    "half an operation": stream((DELTA_COPY, len(BASE) - 1, 0, b""), end=b"half"),
    "an insertion that ends early": stream((DELTA_INSERT, len(BASE), 0, b"?")),
    "an addition that ends early": stream((DELTA_ADD, len(BASE), 0, b"?")),
    "other bytes": stream(COPY_ALL),
    "a bomb": stream((DELTA_INSERT, 1000, 0, bytes(64 * KIB * KIB))),
    "no deflate stream": b"?" * 1000,
    "something behind its end": stream(COPY_ALL) + b"?",
}


@pytest.mark.parametrize("name", BAD_STREAMS)
def test_delta_that_is_wrong_leaves_nothing_and_the_agent_goes_on(
    agent_with_base: AgentProcess, root: Path, name: str
) -> None:
    wanted = bytes([BASE[0] ^ 1]) + BASE[1:]

    with pytest.raises(RefusedError) as refused:
        stage(agent_with_base, wanted, BAD_STREAMS[name])

    assert refused.value.code == "E_VERIFY"
    assert not (root / "blobs" / sha256(wanted)).exists()
    assert stage(agent_with_base, wanted)["sha256"] == sha256(wanted)


@pytest.mark.parametrize("damage", ["missing", "damaged"])
def test_base_that_is_not_there_is_named_before_any_byte(
    agent_with_base: AgentProcess, root: Path, damage: str
) -> None:
    blob = root / "blobs" / sha256(BASE)
    blob.chmod(0o600)
    if damage == "missing":
        blob.unlink()
    else:
        blob.write_bytes(BASE[:-1] + b"?")

    with pytest.raises(RefusedError) as refused:
        stage(agent_with_base, NEW)

    assert (refused.value.code, refused.value.details["blob"]) == ("E_VERIFY", sha256(BASE))
    assert agent_with_base.events == []


@pytest.mark.parametrize(
    "params",
    [{"encoding": "delta"}, {"base": sha256(BASE)}, {"encoding": "deflate", "base": sha256(BASE)},
     {"encoding": "delta", "base": "../lock"}],
)  # fmt: skip
def test_delta_and_base_go_together(shared_agent: AgentProcess, params: dict[str, str]) -> None:
    with pytest.raises(RefusedError) as refused:
        shared_agent.request("stage", sha256=sha256(NEW), size=len(NEW), **params)

    assert refused.value.code == "E_PROTOCOL"
