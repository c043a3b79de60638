"""Uploads: what arrives is proven, what is missing is asked for, what is wrong is dropped."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from device_agents.linux import protocol
from edgekit.selftest.lab.agent_process import AgentProcess, RefusedError, sha256

MIB = 1024 * 1024
DATA = random.Random(1).randbytes(3 * MIB + 4567)
DIGEST = sha256(DATA)


def incoming(root: Path) -> list[str]:
    return sorted(path.name for path in (root / "incoming").iterdir())


def test_stage_keeps_a_blob_under_its_digest(agent: AgentProcess, root: Path) -> None:
    agent.stage(DATA)

    assert (root / "blobs" / DIGEST).read_bytes() == DATA
    assert agent.staged == {"sha256": DIGEST, "sent": len(DATA), "already": False}
    assert incoming(root) == []


def test_stage_takes_an_empty_blob(agent: AgentProcess, root: Path) -> None:
    digest = agent.stage(b"")

    assert (root / "blobs" / digest).read_bytes() == b""


def test_stage_asks_for_nothing_when_the_blob_is_there(agent: AgentProcess) -> None:
    agent.stage(DATA)

    agent.stage(DATA)

    assert agent.staged == {"sha256": DIGEST, "sent": 0, "already": True}
    assert agent.events == []


def test_stage_receives_a_damaged_blob_anew(agent: AgentProcess, root: Path) -> None:
    agent.stage(DATA)
    blob = root / "blobs" / DIGEST
    blob.chmod(0o600)
    blob.write_bytes(DATA[:-1] + bytes([DATA[-1] ^ 1]))

    agent.stage(DATA)

    assert agent.staged["sent"] == len(DATA)
    assert blob.read_bytes() == DATA


@pytest.mark.parametrize("sent", [1, MIB - 1, 2 * MIB + 77, len(DATA) - 1])
def test_stage_goes_on_where_the_connection_broke(root: Path, sent: int) -> None:
    with AgentProcess(root).boot() as first:
        first.ask("stage", sha256=DIGEST, size=len(DATA))
        first.read()
        for start in range(0, sent, MIB // 2):
            first.write(protocol.encode_frame(DATA[start : min(start + MIB // 2, sent)]))
        first.end()

    with AgentProcess(root).boot() as second:
        second.stage(DATA)

    assert second.staged["sent"] == len(DATA) - sent
    assert (root / "blobs" / DIGEST).read_bytes() == DATA
    assert incoming(root) == []


def test_stage_repeats_at_most_a_mebibyte_when_the_agent_was_killed(root: Path) -> None:
    with AgentProcess(root).boot() as first:
        first.ask("stage", sha256=DIGEST, size=len(DATA))
        first.read()
        first.write(b"".join(protocol.encode_frame(DATA[at : at + MIB // 4]) for at in range(0, 2 * MIB, MIB // 4)))
        while not (part := root / "incoming" / f"{DIGEST}.part").exists() or part.stat().st_size < 2 * MIB:
            assert first.process.poll() is None
        first.kill()

    with AgentProcess(root).boot() as second:
        second.stage(DATA)

    assert second.staged["sent"] <= len(DATA) - 2 * MIB + MIB
    assert (root / "blobs" / DIGEST).read_bytes() == DATA


def half_sent(root: Path) -> tuple[Path, Path]:
    """A device that has three of the mebibytes; the files of the part."""
    with AgentProcess(root).boot() as first:
        first.ask("stage", sha256=DIGEST, size=len(DATA))
        first.read()
        first.write(b"".join(protocol.encode_frame(DATA[at : at + MIB]) for at in range(0, 3 * MIB, MIB)))
        first.end()
    return root / "incoming" / f"{DIGEST}.part", root / "incoming" / f"{DIGEST}.sums"


@pytest.mark.parametrize("damage", ["flip a byte", "cut the part", "zero the sums", "foreign sums"])
def test_stage_resumes_only_from_bytes_that_it_can_prove(root: Path, damage: str) -> None:
    part, sums = half_sent(root)
    if damage == "flip a byte":
        part.write_bytes(DATA[: MIB + 5] + b"\0\0\0\0" + DATA[MIB + 9 : 3 * MIB])
    elif damage == "cut the part":
        part.write_bytes(DATA[: 2 * MIB - 1])
    elif damage == "zero the sums":
        sums.write_bytes(bytes(sums.stat().st_size))
    else:
        sums.write_bytes(b"1048576 " + b"0" * 64 + b" 00000000\n")

    with AgentProcess(root).boot() as second:
        second.stage(DATA)

    kept = MIB if damage in ("flip a byte", "cut the part") else 0
    assert second.staged["sent"] == len(DATA) - kept
    assert (root / "blobs" / DIGEST).read_bytes() == DATA


def with_holes(agent: AgentProcess, data: bytes = DATA) -> dict:
    """Stage as a host does that can mend damaged stretches; the event that asked for them is in `agent.events`."""

    def send(offset: int) -> None:
        holes = agent.events[-1].get("holes", [])
        agent.send_frames(b"".join(data[begin:end] for begin, end in [*holes, (offset, len(data))]))

    return agent.request("stage", sha256=DIGEST, size=len(DATA), holes=True, on_ready=send)


@pytest.mark.parametrize(("at", "hole"), [(5, [0, MIB]), (MIB + 5, [MIB, 2 * MIB])])
def test_stage_asks_for_the_damaged_mebibyte_alone(root: Path, at: int, hole: list[int]) -> None:
    part, _ = half_sent(root)
    part.write_bytes(DATA[:at] + b"\0\0\0\0" + DATA[at + 4 : 3 * MIB])

    with AgentProcess(root).boot() as agent:
        answer = with_holes(agent)

    assert (agent.events[0]["offset"], agent.events[0]["holes"]) == (3 * MIB, [hole])
    assert answer["sent"] == len(DATA) - 2 * MIB
    assert (root / "blobs" / DIGEST).read_bytes() == DATA
    assert incoming(root) == []


def test_damage_at_the_end_is_no_hole(root: Path) -> None:
    part, _ = half_sent(root)
    part.write_bytes(DATA[: 3 * MIB - 1] + b"?")

    with AgentProcess(root).boot() as agent:
        answer = with_holes(agent)

    assert "holes" not in agent.events[0]
    assert answer["sent"] == len(DATA) - 2 * MIB


@pytest.mark.parametrize("wrong", ["other bytes", "too few"])
def test_hole_that_is_filled_wrongly_stays_one_or_drops_the_part(root: Path, wrong: str) -> None:
    part, _ = half_sent(root)
    part.write_bytes(b"\0\0\0\0" + DATA[4 : 3 * MIB])

    with AgentProcess(root).boot() as agent:
        with pytest.raises(RefusedError) as refused:
            with_holes(agent, bytes(len(DATA)) if wrong == "other bytes" else DATA[: MIB // 2])
        left = incoming(root)
        with_holes(agent)

    assert refused.value.code == ("E_VERIFY" if wrong == "other bytes" else "E_PROTOCOL")
    assert bool(left) == (wrong == "too few")
    assert (root / "blobs" / DIGEST).read_bytes() == DATA


def test_stage_drops_bytes_that_are_not_those_of_the_digest(agent: AgentProcess, root: Path) -> None:
    other = DATA[:-1] + b"?"

    with pytest.raises(RefusedError) as refused:
        agent.request("stage", sha256=DIGEST, size=len(DATA), on_ready=lambda at: agent.send_frames(other))

    assert refused.value.code == "E_VERIFY"
    assert incoming(root) == []
    assert list((root / "blobs").iterdir()) == []


def test_stage_drops_more_bytes_than_announced(agent: AgentProcess, root: Path) -> None:
    with pytest.raises(RefusedError) as refused:
        agent.request("stage", sha256=DIGEST, size=MIB, on_ready=lambda at: agent.send_frames(DATA))

    assert refused.value.code == "E_VERIFY"
    assert incoming(root) == []
    assert agent.request("status")["active"] is None, "the rest of the payload was skipped"


def test_stage_keeps_what_came_when_the_payload_ends_early(agent: AgentProcess) -> None:
    with pytest.raises(RefusedError) as refused:
        agent.request("stage", sha256=DIGEST, size=len(DATA), on_ready=lambda at: agent.send_frames(DATA[:MIB]))

    agent.stage(DATA)

    assert refused.value.code == "E_PROTOCOL"
    assert agent.staged["sent"] == len(DATA) - MIB


@pytest.mark.parametrize(
    ("digest", "size"),
    [
        ("../../etc/passwd", 1),
        (DIGEST.upper(), 1),
        (DIGEST[:-1], 1),
        (None, 1),
        (DIGEST, -1),
        (DIGEST, 2**60),
        (DIGEST, True),
    ],
)
def test_stage_refuses_what_is_no_digest_or_size(agent: AgentProcess, root: Path, digest: object, size: object) -> None:
    with pytest.raises(RefusedError) as refused:
        agent.request("stage", sha256=digest, size=size)

    assert refused.value.code == "E_PROTOCOL"
    assert not (root / "incoming").exists()


def test_stage_does_not_follow_a_link_in_incoming(agent: AgentProcess, root: Path, tmp_path: Path) -> None:
    agent.stage(b"makes the folders")
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    (root / "incoming" / f"{DIGEST}.part").symlink_to(victim)

    with pytest.raises(RefusedError) as refused:
        agent.stage(DATA)

    assert refused.value.code == "E_STORAGE"
    assert victim.read_bytes() == b"precious"


def test_stage_refuses_before_the_first_byte_when_the_disk_is_too_small(agent: AgentProcess, root: Path) -> None:
    with pytest.raises(RefusedError) as refused:
        agent.request("stage", sha256=DIGEST, size=2**40)

    assert refused.value.code == "E_STORAGE"
    assert not (root / "incoming" / f"{DIGEST}.part").exists()
    assert refused.value.details["need_bytes"] > 2**40 > refused.value.details["free_bytes"]
    assert agent.events == []
