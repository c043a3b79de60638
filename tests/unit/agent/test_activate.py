"""Activation: proven before the switch, proven after it, and undone when it fails."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from edgekit.selftest.lab.agent_process import AgentProcess, RefusedError, Release, fake_release, sha256


def current(root: Path) -> str | None:
    link = root / "current"
    return link.readlink().stem if link.is_symlink() else None


def snapshot(root: Path) -> dict[str, tuple[int, int]]:
    """Inode and mtime of everything that could be written, the lock's text aside."""
    facts = {path: path.lstat() for path in root.rglob("*") if path.name not in ("lock", "root")}
    return {str(path): (fact.st_ino, fact.st_mtime_ns) for path, fact in facts.items()}


def test_activate_points_current_to_the_release(agent: AgentProcess, root: Path) -> None:
    release = fake_release()

    result = agent.deploy(release)

    assert result["active"] == release.digest
    assert result["unchanged"] is False
    assert result["golden"] == {"max_abs_error": 0.0, "cases": 2}
    assert current(root) == release.digest
    assert (root / "current").read_text() == release.manifest
    assert [event["phase"] for event in agent.events] == ["verify", "golden", "switch", "health"]


def test_activate_keeps_the_one_before_as_previous(agent: AgentProcess, root: Path) -> None:
    first, second = fake_release(1.0), fake_release(2.0)
    agent.deploy(first)

    result = agent.deploy(second)

    assert (result["active"], result["previous"]) == (second.digest, first.digest)
    assert (root / "previous").readlink() == Path("releases", f"{first.digest}.json")


def test_activate_writes_nothing_when_the_release_is_active(agent: AgentProcess, root: Path) -> None:
    release = fake_release()
    agent.deploy(release)
    before = snapshot(root)

    result = agent.request("activate", manifest=release.manifest, expect=None)

    assert result["unchanged"] is True
    assert snapshot(root) == before


def test_activate_within_the_tolerance_tells_the_error(agent: AgentProcess) -> None:
    release = fake_release(2.0, golden_scale=2.0625)
    manifest = json.loads(release.manifest)
    manifest["golden"]["tolerance"] = {"kind": "abs", "value": 0.5}

    result = agent.deploy(Release(manifest=json.dumps(manifest), files=release.files))

    assert result["golden"]["max_abs_error"] == pytest.approx(0.4375)


def test_activate_only_loads_the_model_when_nothing_is_golden(agent: AgentProcess) -> None:
    assert agent.deploy(fake_release(golden=None))["golden"] is None
    with pytest.raises(RefusedError, match="crashed"):
        agent.deploy(fake_release(golden=None, model_fields={"load": "crash"}))


@pytest.mark.parametrize(
    ("fields", "golden_scale", "code"),
    [
        ({}, 3.0, "E_VERIFY"),
        ({"run": "nan"}, 2.0, "E_VERIFY"),
        ({"outputs": [{"name": "y", "shape": [1, 3], "dtype": "float32"}]}, 2.0, "E_VERIFY"),
        ({"outputs": [{"name": "y", "shape": [1, 4], "dtype": "int32"}]}, 2.0, "E_VERIFY"),
        ({"run": "shape"}, 2.0, "E_DEVICE"),
        ({"run": "crash"}, 2.0, "E_DEVICE"),
        ({"load": "error"}, 2.0, "E_DEVICE"),
        ({"inputs": [{"name": "x", "shape": [1, 5], "dtype": "float32"}]}, 2.0, "E_INPUT"),
    ],
)
def test_activate_leaves_the_old_release_alone_when_the_golden_run_fails(
    agent: AgentProcess, root: Path, fields: dict[str, Any], golden_scale: float, code: str
) -> None:
    good, bad = fake_release(1.0), fake_release(2.0, golden_scale=golden_scale, model_fields=fields)
    agent.deploy(good)
    link_before = (root / "current").lstat().st_ino

    with pytest.raises(RefusedError) as refused:
        agent.deploy(bad)

    assert refused.value.code == code
    assert (root / "current").lstat().st_ino == link_before
    status = agent.request("status")
    assert status["active"] == good.digest
    assert list(status["failed"]) == [bad.digest]
    assert status["releases"] == [good.digest]


FLAKY = """
import os
from device_agents.linux.runners import fake
FORMATS, versions, prepare, probe = ("fake",), fake.versions, fake.prepare, fake.probe
def load(path, options):
    root = os.environ["EDGEKIT_ROOT"]
    if os.path.basename(os.readlink(root + "/current")) != os.environ["GOOD"] + ".json":
        os.kill(os.getpid(), 11)
    return fake.load(path, options)
"""


def test_activate_rolls_back_when_the_health_check_fails(root: Path, tmp_path: Path) -> None:
    good, bad = fake_release(1.0), fake_release(2.0, runtime="flaky")
    runners = tmp_path / "runners"
    runners.mkdir()
    (runners / "flaky.py").write_text(FLAKY)
    with AgentProcess(root, env={"EDGEKIT_RUNNERS": str(runners), "GOOD": good.digest}).boot() as agent:
        agent.deploy(good)

        with pytest.raises(RefusedError) as refused:
            agent.deploy(bad)

        assert refused.value.code == "E_ROLLED_BACK"
        assert refused.value.details["cause"]["details"]["child"]["signal"] == 11
        status = agent.request("status")
    assert current(root) == status["active"] == good.digest
    assert not (root / "previous").exists()
    assert (status["pending"], list(status["failed"])) == (None, [bad.digest])


def test_activate_leaves_no_link_when_the_first_health_check_fails(root: Path, tmp_path: Path) -> None:
    (tmp_path / "flaky.py").write_text(
        FLAKY.replace(
            'os.path.basename(os.readlink(root + "/current"))', "str(os.path.lexists(root + '/current'))"
        ).replace('os.environ["GOOD"] + ".json"', "'False'")
    )
    with AgentProcess(root, env={"EDGEKIT_RUNNERS": str(tmp_path)}).boot() as agent:
        with pytest.raises(RefusedError) as refused:
            agent.deploy(fake_release(2.0, runtime="flaky"))

        assert refused.value.code == "E_ROLLED_BACK"
        assert agent.request("status")["active"] is None
    assert not os.path.lexists(root / "current")


def test_activate_refuses_when_another_release_is_active_than_expected(agent: AgentProcess) -> None:
    first, second = fake_release(1.0), fake_release(2.0)
    agent.deploy(first)
    for data in second.files:
        agent.stage(data)

    with pytest.raises(RefusedError) as refused:
        agent.request("activate", manifest=second.manifest, expect=second.digest)

    assert refused.value.code == "E_LOCKED"
    assert refused.value.details["active"] == first.digest
    assert agent.request("activate", manifest=second.manifest, expect=first.digest)["active"] == second.digest


def test_activate_refuses_a_counter_below_the_floor(agent: AgentProcess) -> None:
    newer, older = fake_release(2.0, counter=7), fake_release(1.0, counter=6)
    agent.deploy(newer)

    with pytest.raises(RefusedError) as refused:
        agent.deploy(older)

    assert refused.value.code == "E_VERIFY"
    assert refused.value.details == {"counter": 6, "rollback_floor": 7}
    assert agent.request("status")["active"] == newer.digest


@pytest.mark.parametrize("fault", ["missing", "flipped", "longer", "shorter", "link"])
def test_activate_refuses_a_blob_that_is_not_what_the_manifest_says(
    agent: AgentProcess, root: Path, tmp_path: Path, fault: str
) -> None:
    release = fake_release()
    for data in release.files:
        agent.stage(data)
    model = release.files[0]
    blob = root / "blobs" / sha256(model)
    blob.unlink()
    if fault == "link":
        (tmp_path / "elsewhere").write_bytes(model)
        blob.symlink_to(tmp_path / "elsewhere")
    elif fault != "missing":
        blob.write_bytes({"flipped": b"!" + model[1:], "longer": model + b" ", "shorter": model[:-1]}[fault])

    with pytest.raises(RefusedError) as refused:
        agent.request("activate", manifest=release.manifest, expect=None)

    assert refused.value.code == ("E_STORAGE" if fault == "link" else "E_VERIFY")
    assert agent.request("status")["active"] is None


@pytest.mark.parametrize(
    "changes",
    [
        {"compatible": {"machine": ["z80"], "formats": ["fake"]}},
        {"runtime": "abacus"},
        {"format": "onnx", "compatible": {"formats": ["onnx"]}},
        {"schema": "edgekit.manifest/2"},
        {"kind": "firmware"},
    ],
)
def test_activate_refuses_what_this_device_cannot_run(agent: AgentProcess, changes: dict[str, Any]) -> None:
    with pytest.raises(RefusedError) as refused:
        agent.deploy(fake_release(**changes))

    assert refused.value.code == "E_UNSUPPORTED"
    assert agent.request("status")["releases"] == []
