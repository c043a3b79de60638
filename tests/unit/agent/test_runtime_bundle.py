"""Runtime bundles: wheels from a host, unpacked by an extractor that trusts none of them."""

from __future__ import annotations

import io
import json
import stat
import zipfile
from pathlib import Path
from typing import Any

import pytest

from edgekit.selftest.lab.agent_process import AgentProcess, RefusedError, Release, floats, sha256

RUNNER = """
from device_agents.linux.runners import fake
FORMATS, prepare, load = fake.FORMATS, fake.prepare, fake.load
def versions():
    import abacus
    return {"abacus": abacus.__version__}
def probe():
    import abacus.beads
"""


def wheel(members: dict[str, Any], **attributes: int) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            entry = zipfile.ZipInfo(name)
            entry.compress_type = attributes.get("method", zipfile.ZIP_DEFLATED)
            entry.external_attr = attributes.get("mode", 0o100644) << 16
            archive.writestr(entry, content)
    return buffer.getvalue()


def bundle(*wheels: bytes, runtime: str = "abacus", **changes: Any) -> Release:
    files = {f"abacus-{number}-py3-none-any.whl": data for number, data in enumerate(wheels)}
    manifest = {
        "schema": "edgekit.manifest/1",
        "kind": "runtime",
        "compatible": {"machine": [], "formats": []},
        "runtime": runtime,
        "files": {path: {"sha256": sha256(data), "size": len(data)} for path, data in files.items()},
        "counter": 0,
        **changes,
    }
    return Release(manifest=json.dumps(manifest), files=wheels)


def abacus(version: str) -> bytes:
    return wheel(
        {
            "abacus/__init__.py": f"__version__ = {version!r}\n",
            "abacus/beads.py": "BEADS = 10\n",
            "abacus/never_imported.py": "",
            f"abacus-{version}.data/purelib/abacus/data.txt": "kept",
            f"abacus-{version}.data/scripts/abacus": "left out",
        }
    )


@pytest.fixture
def agent(root: Path, tmp_path: Path) -> Any:
    (tmp_path / "abacus.py").write_text(RUNNER)
    with AgentProcess(root, env={"EDGEKIT_RUNNERS": str(tmp_path)}).boot() as process:
        yield process


def test_runtime_bundle_is_unpacked_and_used_by_children(agent: AgentProcess, root: Path) -> None:
    release = bundle(abacus("1.0"))

    result = agent.deploy(release)

    folder = root / "runtimes" / release.digest
    assert (result["active"], result["unchanged"]) == (None, False)
    assert (folder / "abacus" / "data.txt").read_text() == "kept"
    assert not (folder / "abacus-1.0.data").exists()
    assert agent.request("probe", runtimes=["abacus"])["runtimes"]["abacus"]["versions"] == {"abacus": "1.0"}
    assert agent.request("status")["bundles"] == [release.digest]
    assert not list(root.glob("runtimes/.tmp-*"))


def test_runtime_bundle_keeps_the_bytecode_of_what_was_imported(agent: AgentProcess, root: Path) -> None:
    release = bundle(abacus("1.0"))

    agent.deploy(release)

    cached = sorted(path.name.split(".")[0] for path in (root / "runtimes" / release.digest).rglob("*.pyc"))
    assert cached == ["__init__", "beads"]


def test_runtime_bundle_again_writes_nothing(agent: AgentProcess, root: Path) -> None:
    release = bundle(abacus("1.0"))
    agent.deploy(release)
    before = (root / "runtimes" / release.digest).stat().st_ino

    assert agent.deploy(release)["unchanged"]
    assert (root / "runtimes" / release.digest).stat().st_ino == before


def test_newest_runtime_bundle_wins_and_the_old_one_can_be_collected(agent: AgentProcess, root: Path) -> None:
    old, new = bundle(abacus("1.0")), bundle(abacus("2.0"))
    agent.deploy(old)
    agent.deploy(new)

    assert agent.request("probe", runtimes=["abacus"])["runtimes"]["abacus"]["versions"] == {"abacus": "2.0"}
    assert agent.request("collect", keep=0, data=False)["removed"] == [old.digest]
    assert [path.name for path in (root / "runtimes").iterdir()] == [new.digest]


def test_runtime_bundle_that_does_not_start_is_refused(agent: AgentProcess, root: Path) -> None:
    broken = bundle(wheel({"abacus/__init__.py": "__version__ = '3'", "abacus/beads.py": "import nothing_like_this"}))

    with pytest.raises(RefusedError, match="nothing_like_this") as refused:
        agent.deploy(broken)

    assert refused.value.code == "E_UNSUPPORTED"
    assert list((root / "runtimes").iterdir()) == []
    assert agent.request("status")["bundles"] == []


@pytest.mark.parametrize(
    "content",
    [
        wheel({"../evil.py": ""}),
        wheel({"/etc/evil.py": ""}),
        wheel({"a/../../evil.py": ""}),
        wheel({"a\\..\\evil.py": ""}),
        wheel({"a/./evil.py": ""}),
        wheel({"link": "/etc/passwd"}, mode=stat.S_IFLNK | 0o777),
        wheel({"fifo": ""}, mode=stat.S_IFIFO | 0o600),
        wheel({"A.py": "", "a.py": ""}),
        wheel({"bomb": bytes(30_000_000)}),
        abacus("1.0")[:-30],
        b"no zip at all",
        wheel({"abacus.py": "BEADS"}, method=zipfile.ZIP_STORED).replace(b"BEADS", b"BEADZ", 1),
        b"",
    ],
    ids=[
        "up",
        "absolute",
        "inner-up",
        "backslash",
        "dot",
        "link",
        "fifo",
        "case",
        "bomb",
        "cut",
        "no-zip",
        "crc",
        "empty",
    ],
)
def test_wheel_that_is_unsafe_is_refused_and_leaves_nothing(agent: AgentProcess, root: Path, content: bytes) -> None:
    with pytest.raises(RefusedError) as refused:
        agent.deploy(bundle(content))

    assert refused.value.code == "E_VERIFY"
    assert list((root / "runtimes").iterdir()) == []
    assert not (root.parent / "evil.py").exists()


def test_wheels_that_hold_the_same_file_are_refused(agent: AgentProcess) -> None:
    with pytest.raises(RefusedError, match="twice"):
        agent.deploy(bundle(abacus("1.0"), wheel({"abacus/__init__.py": ""})))


def test_model_runs_with_an_installed_runtime(agent: AgentProcess) -> None:
    agent.deploy(bundle(abacus("1.0")))
    model, data = agent.stage(b'{"scale": 3}'), agent.stage(floats(1, 2, 3, 4))

    agent.request(
        "infer",
        artifact={"blob": model, "format": "fake", "runtime": "abacus"},
        inputs=[{"blob": data, "shape": [1, 4], "dtype": "float32"}],
        options={},
    )

    assert agent.payloads == [("y", floats(3, 6, 9, 12))]
