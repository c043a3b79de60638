"""A ROOT that something has damaged: never silent, mended where it can be, untouched where it must be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from edgekit.selftest.lab.agent_process import AgentProcess, RefusedError, Release, fake_release, sha256

FIRST, SECOND, THIRD = fake_release(1.0), fake_release(2.0), fake_release(3.0)


@pytest.fixture
def deployed(agent: AgentProcess, root: Path) -> AgentProcess:
    """A device with FIRST behind it and SECOND active."""
    agent.deploy(FIRST)
    agent.deploy(SECOND)
    return agent


def target(release: Release) -> Path:
    return Path("releases", f"{release.digest}.json")


@pytest.mark.parametrize("damage", ["missing", "dangling", "elsewhere", "other release"])
def test_current_that_is_wrong_is_reported_and_mended(deployed: AgentProcess, root: Path, damage: str) -> None:
    link = root / "current"
    link.unlink()
    if damage != "missing":
        link.symlink_to({"dangling": "nowhere", "elsewhere": "/etc/passwd", "other release": target(FIRST)}[damage])

    status = deployed.request("status")
    deployed.request("collect", keep=9, data=False)

    assert status["active"] == SECOND.digest
    assert status["warnings"]
    assert "warning" in [event["event"] for event in deployed.events]
    assert link.readlink() == target(SECOND)
    assert deployed.request("status")["warnings"] == []


@pytest.mark.parametrize("kind", ["file", "folder"])
@pytest.mark.parametrize("name", ["current", "previous"])
def test_thing_in_the_place_of_a_link_is_not_removed(deployed: AgentProcess, root: Path, name: str, kind: str) -> None:
    place = root / name
    place.unlink()
    if kind == "file":
        place.write_text("mine")
    else:
        place.mkdir()

    with pytest.raises(RefusedError) as refused:
        deployed.deploy(THIRD)

    assert refused.value.code == "E_STORAGE"
    assert str(place) in refused.value.message
    assert place.is_dir() or place.read_text() == "mine"
    assert any(name in warning for warning in deployed.request("status")["warnings"])


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0" * 300,
        b"[]",
        b'{"schema": "edgekit.state/1", "active": "../../x"}',
        b'{"schema": "edgekit.state/1", "history": 5}',
        b'{"schema": "edgekit.state/1", "surprise": 1}',
        b'{"schema": "edgekit.state/1", "rollback_floor": -1}',
        b'{"schema": "edgekit.state/1", "runtimes": {"x": NaN}}',
        b'{"schema": "else/1"}',
        b"[" * 90_000,
        None,
    ],
    ids=lambda content: "missing" if content is None else content[:46].decode().replace("\0", "0"),
)
def test_state_that_is_damaged_is_rebuilt_from_the_links(
    root: Path, content: bytes | None, shared_device: bytes
) -> None:
    unpack(shared_device, root)
    (root / "state.json").unlink()
    if content is not None:
        (root / "state.json").write_bytes(content)
    with AgentProcess(root).boot() as agent:
        status = agent.request("status")
        agent.request("collect", keep=9, data=False)
        warned = [event for event in agent.events if event["event"] == "warning"]
        after = agent.request("status")

    assert (status["active"], status["previous"]) == (SECOND.digest, FIRST.digest)
    assert status["warnings"]
    assert warned
    assert (after["active"], after["previous"], after["warnings"]) == (SECOND.digest, FIRST.digest, [])


@pytest.fixture(scope="module")
def shared_device(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A tar of the ROOT that `deployed` has; copying it is cheaper than deploying again."""
    import io
    import tarfile

    root = tmp_path_factory.mktemp("device") / "root"
    with AgentProcess(root).boot() as agent:
        agent.deploy(FIRST)
        agent.deploy(SECOND)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.add(root, arcname=".")
    return buffer.getvalue()


def unpack(archive: bytes, root: Path) -> None:
    import io
    import tarfile

    with tarfile.open(fileobj=io.BytesIO(archive)) as content:
        content.extractall(root, filter="fully_trusted")


@pytest.fixture
def raised(agent: AgentProcess, root: Path) -> AgentProcess:
    """A device that has committed counter 7 and went back twice: neither `current` nor `previous` has it."""
    releases = [fake_release(float(counter), counter=counter) for counter in (3, 4, 7)]
    for release in releases:
        agent.deploy(release)
    for release in releases[:2]:
        agent.request("rollback", to=release.digest)
    return agent


FLOOR_LOSSES = {
    "missing": None,
    "empty": b"",
    "foreign": b"{}",
    "negative": b'{"schema": "edgekit.floor/1", "rollback_floor": -1}',
    "a text": b'{"schema": "edgekit.floor/1", "rollback_floor": "9"}',
    "newer": b'{"schema": "edgekit.floor/2", "rollback_floor": 9}',
}


def test_rollback_floor_outlives_state_json(raised: AgentProcess, root: Path) -> None:
    (root / "state.json").unlink()

    status = raised.request("status")
    with pytest.raises(RefusedError, match="counter 6, the device takes 7 or more") as refused:
        raised.deploy(fake_release(6.0, counter=6))

    assert refused.value.code == "E_VERIFY"
    assert status["counter"] == 7
    assert any("was rebuilt" in warning and "rollback floor 7" in warning for warning in status["warnings"])
    assert json.loads((root / "state.json").read_bytes())["rollback_floor"] == 7


@pytest.mark.parametrize("loss", FLOOR_LOSSES)
def test_rollback_floor_is_that_of_the_linked_releases_when_its_file_is_lost_too(
    raised: AgentProcess, root: Path, loss: str
) -> None:
    (root / "state.json").write_bytes(b"")
    (root / "floor.json").unlink()
    if (content := FLOOR_LOSSES[loss]) is not None:
        (root / "floor.json").write_bytes(content)

    raised.request("collect", keep=9, data=False)

    assert raised.request("status")["counter"] == 4
    assert json.loads((root / "floor.json").read_bytes())["rollback_floor"] == 4


def test_rollback_floor_outlives_state_json_and_the_links(raised: AgentProcess, root: Path) -> None:
    for name in ("state.json", "current", "previous"):
        (root / name).unlink()

    status = raised.request("status")

    assert (status["active"], status["counter"]) == (None, 7)
    assert any("was rebuilt" in warning for warning in status["warnings"])


def test_rollback_floor_that_is_rebuilt_does_not_count_what_was_never_committed(
    raised: AgentProcess, root: Path
) -> None:
    tempting = fake_release(9.0, counter=9)
    (root / target(tempting)).write_text(tempting.manifest)
    (root / "state.json").unlink()

    assert raised.request("status")["counter"] == 7


def test_manifest_that_is_damaged_proves_no_rollback_floor(deployed: AgentProcess, root: Path) -> None:
    for name in ("state.json", "floor.json"):
        (root / name).unlink()
    path = root / target(SECOND)
    path.write_text(path.read_text().replace('"counter":1', '"counter":8'))

    assert deployed.request("status")["counter"] == 1


def test_state_of_a_newer_edgekit_is_left_alone(deployed: AgentProcess, root: Path) -> None:
    newer = json.dumps({"schema": "edgekit.state/2", "active": SECOND.digest, "slots": ["a", "b"]}).encode()
    (root / "state.json").write_bytes(newer)

    requests: list[tuple[str, dict[str, Any]]] = [
        ("status", {}),
        ("activate", {"manifest": SECOND.manifest, "expect": None}),
        ("rollback", {"to": None}),
        ("collect", {"keep": 0, "data": True}),
    ]
    for verb, params in requests:
        with pytest.raises(RefusedError, match="newer edgekit") as refused:
            deployed.request(verb, **params)
        assert refused.value.code == "E_CONFIG"

    assert (root / "state.json").read_bytes() == newer
    assert (root / "current").readlink() == target(SECOND)
    assert (root / "releases" / f"{FIRST.digest}.json").exists()
    assert deployed.request("hello", protocol=[1])


def test_manifest_of_the_active_release_that_is_gone_is_no_active_release(deployed: AgentProcess, root: Path) -> None:
    (root / target(SECOND)).unlink()

    status = deployed.request("status")
    result = deployed.deploy(SECOND)

    assert (status["active"], status["previous"]) == (None, FIRST.digest)
    assert any(SECOND.digest in warning for warning in status["warnings"])
    assert result["active"] == SECOND.digest
    assert result["unchanged"] is False


@pytest.mark.parametrize("part", ["blob", "manifest"])
def test_flipped_bit_in_the_active_release_stops_every_use(deployed: AgentProcess, root: Path, part: str) -> None:
    data = deployed.stage(bytes(16))
    damaged = root / "blobs" / sha256(SECOND.files[0]) if part == "blob" else root / target(SECOND)
    damaged.chmod(0o600)
    content = bytearray(damaged.read_bytes())
    content[5] ^= 4
    damaged.write_bytes(content)
    job = {"artifact": {"release": "active"}, "inputs": [{"blob": data, "shape": [1, 4], "dtype": "float32"}]}

    with pytest.raises(RefusedError) as refused:
        deployed.request("infer", **job)

    assert refused.value.code in ("E_VERIFY", "E_UNSUPPORTED")
    if part == "blob":
        with pytest.raises(RefusedError, match="damaged"):
            deployed.request("activate", manifest=SECOND.manifest, expect=None)
        assert deployed.deploy(SECOND)["unchanged"], "staging has mended the blob"


def test_foreign_files_in_root_stay(deployed: AgentProcess, root: Path) -> None:
    (root / "notes.txt").write_text("mine")
    (root / "blobs" / "README").write_text("mine")

    deployed.deploy(THIRD)
    deployed.request("collect", keep=0, data=False)

    assert (root / "notes.txt").read_text() == (root / "blobs" / "README").read_text() == "mine"


def test_temp_files_of_dead_agents_are_removed(deployed: AgentProcess, root: Path) -> None:
    (root / ".tmp-0000").write_text("x")
    (root / "releases" / ".tmp-0001").write_text("x")
    (root / "runtimes" / ".tmp-0002" / "numpy").mkdir(parents=True)
    (root / "agents" / ".4194399.tmp").write_text("x")

    deployed.request("collect", keep=9, data=False)

    assert not [path for path in root.rglob("*") if "tmp" in path.name]
