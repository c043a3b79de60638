"""Uploads that travel compressed: offsets are those of the plain bytes, and what is wrong leaves nothing behind."""

from __future__ import annotations

import random
import zlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from device_agents.linux import protocol
from edgekit.selftest.lab.agent_process import AgentProcess, RefusedError, sha256

MIB = 1024 * 1024
DATA = bytes(random.Random(1).choices(range(12), k=3 * MIB + 4567))
DIGEST = sha256(DATA)


def deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(1, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()


STREAM = deflate(DATA)


def stage(agent: AgentProcess, data: bytes, *, stream: bytes | None = None, frame_bytes: int = 64 * 1024) -> dict:
    """Stage data compressed, or another stream in its name."""
    return agent.request(
        "stage", sha256=sha256(data), size=len(data), encoding="deflate",
        on_ready=lambda at: agent.send_frames(deflate(data[at:]) if stream is None else stream, frame_bytes),
    )  # fmt: skip


def refused(agent: AgentProcess, stream: bytes) -> RefusedError:
    """The answer to another stream in the name of DATA."""
    with pytest.raises(RefusedError) as caught:
        stage(agent, DATA, stream=stream)
    return caught.value


def incoming(root: Path) -> list[str]:
    return sorted(path.name for path in (root / "incoming").iterdir())


def test_agent_says_which_encodings_it_knows(shared_agent: AgentProcess) -> None:
    assert shared_agent.request("hello", protocol=[1])["encodings"] == ["deflate", "delta"]


def test_compressed_upload_is_kept_as_plain_bytes(agent: AgentProcess, root: Path) -> None:
    assert stage(agent, DATA) == {"sha256": DIGEST, "sent": len(DATA), "already": False}

    assert (root / "blobs" / DIGEST).read_bytes() == DATA
    assert incoming(root) == []
    assert stage(agent, DATA)["already"]
    assert agent.events == []


def test_empty_blob_travels_compressed(agent: AgentProcess, root: Path) -> None:
    stage(agent, b"")

    assert (root / "blobs" / sha256(b"")).read_bytes() == b""


@pytest.mark.parametrize("encoding", ["gzip", "", "DEFLATE", True, 1, ["deflate"], {}])
def test_encoding_that_is_not_on_the_list_is_refused_before_any_byte(
    shared_agent: AgentProcess, encoding: object
) -> None:
    with pytest.raises(RefusedError, match="deflate") as caught:
        shared_agent.request("stage", sha256=DIGEST, size=1, encoding=encoding)

    assert (caught.value.code, shared_agent.events) == ("E_PROTOCOL", [])


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    data=st.binary(min_size=1, max_size=3000),
    repeat=st.integers(1, 50),
    share=st.floats(0, 1),
    frame_bytes=st.integers(1, 5000),
    first_encoding=st.sampled_from([None, "deflate"]),
)
def test_any_bytes_from_any_offset_in_any_frames_arrive(
    shared_agent: AgentProcess, data: bytes, repeat: int, share: float, frame_bytes: int, first_encoding: str | None
) -> None:
    """The first try, plain or compressed, ends early; the second one, compressed, brings the rest and only that."""
    whole = data * repeat
    cut, offsets = int(share * (len(whole) - 1)), []
    first = whole[:cut] if first_encoding is None else deflate(whole[:cut])
    request = {"sha256": sha256(whole), "size": len(whole)}
    shared_agent.request("collect", keep=0, data=True)

    def rest(offset: int) -> None:
        offsets.append(offset)
        shared_agent.send_frames(deflate(whole[offset:]), frame_bytes)

    with pytest.raises(RefusedError, match="E_PROTOCOL"):
        shared_agent.request(
            "stage", **request, encoding=first_encoding, on_ready=lambda _: shared_agent.send_frames(first, frame_bytes)
        )
    answer = shared_agent.request("stage", **request, encoding="deflate", on_ready=rest)

    assert (offsets, answer["sent"]) == ([cut], len(whole) - cut)
    assert shared_agent.request("stage", **request)["already"]


def test_stage_goes_on_where_a_killed_agent_stopped_to_decode(root: Path) -> None:
    with AgentProcess(root).boot() as first:
        first.ask("stage", sha256=DIGEST, size=len(DATA), encoding="deflate")
        first.read()
        for start in range(0, len(STREAM) * 4 // 5, 4096):
            first.write(protocol.encode_frame(STREAM[start : start + 4096]))
        while not (part := root / "incoming" / f"{DIGEST}.part").exists() or part.stat().st_size < 2 * MIB:
            assert first.process.poll() is None
        first.kill()

    with AgentProcess(root).boot() as second:
        answer = stage(second, DATA)

    assert answer["sent"] <= len(DATA) - MIB
    assert (root / "blobs" / DIGEST).read_bytes() == DATA
    assert incoming(root) == []


@pytest.mark.parametrize("share", [0.0, 0.3, 0.999])
def test_stream_that_stops_early_is_kept_for_a_resume(agent: AgentProcess, root: Path, share: float) -> None:
    stream = STREAM[: int(len(STREAM) * share)]
    decoded = len(zlib.decompressobj(-15).decompress(stream))

    error = refused(agent, stream)

    assert error.code == "E_PROTOCOL"
    assert list((root / "blobs").iterdir()) == []
    assert stage(agent, DATA)["sent"] == len(DATA) - decoded
    assert (root / "blobs" / DIGEST).read_bytes() == DATA


def test_channel_that_ends_within_the_stream_keeps_what_was_decoded(root: Path) -> None:
    with AgentProcess(root).boot() as first:
        first.ask("stage", sha256=DIGEST, size=len(DATA), encoding="deflate")
        first.read()
        first.write(protocol.encode_frame(STREAM[:500_000]))
        assert first.end()[0] == 0

    with AgentProcess(root).boot() as second:
        answer = stage(second, DATA)

    assert answer["sent"] == len(DATA) - len(zlib.decompressobj(-15).decompress(STREAM[:500_000]))
    assert (root / "blobs" / DIGEST).read_bytes() == DATA


BAD_STREAMS = {
    "bomb": deflate(bytes(64 * MIB)),
    "a byte too many": deflate(DATA + b"?"),
    "other bytes": deflate(DATA[:-1] + b"?"),
    "something behind its end": STREAM + b"?",
    "another stream behind its end": STREAM * 2,
    "plain bytes": DATA,
    "zlib's header": zlib.compress(DATA, 1),
    "damaged": STREAM[:300_000] + b"\xff" * 300 + STREAM[300_300:],
    "a byte of damage": bytes(byte ^ (at == 400_000) for at, byte in enumerate(STREAM)),
}


@pytest.mark.parametrize("name", BAD_STREAMS)
def test_stream_that_is_wrong_leaves_nothing_and_the_agent_goes_on(agent: AgentProcess, root: Path, name: str) -> None:
    error = refused(agent, BAD_STREAMS[name])

    assert error.code == "E_VERIFY"
    assert incoming(root) == []
    assert list((root / "blobs").iterdir()) == []
    assert stage(agent, DATA)["sent"] == len(DATA)
    assert (root / "blobs" / DIGEST).read_bytes() == DATA
