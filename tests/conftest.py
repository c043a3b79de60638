"""What all tests share: folders of their own, the quickstart model, emulated devices, and no silent skips in CI."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import platformdirs
import pytest

from tests.models.fixtures import once_a_run

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared"
SHARED_IS_MISSING = "the shared material is not beside the project"
_ALLOWED_IN_CI = (  # what no package can mend
    SHARED_IS_MISSING,
    "needs an environment of its own; the emulated Pi runs it",
    "does not answer on SSH",
    "this target is not emulated",
    "no Python 3.",
    "this kernel gives an ordinary user no network namespace",
    "is on a file system that lives in memory",
)

_LONGEST_FIRST = (
    "integration",
    "faults",
    "contract",
    "unit/passes",
    "unit/flows",
    "bad_inputs",
    "unit/docs",
    "unit/cli",
)
"""Folders in the order in which workers begin them: what begins last should be short, or one worker waits for it."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The order of `_LONGEST_FIRST`; a worker takes one file after the other, each as a whole."""

    def place(item: pytest.Item) -> int:
        file = item.path.relative_to(ROOT / "tests").as_posix()
        return next((at for at, name in enumerate(_LONGEST_FIRST) if file.startswith(name)), len(_LONGEST_FIRST))

    items.sort(key=place)


@pytest.fixture(scope="session")
def cache_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache whose artifacts are this session's own; downloads and machine images stay between sessions."""
    own = tmp_path_factory.mktemp("cache")
    lasting = platformdirs.user_cache_path("edgekit")
    for name in ("emulators", "wheels", "zig"):
        (lasting / name).mkdir(parents=True, exist_ok=True)
        (own / name).symlink_to(lasting / name)
    return own


@pytest.fixture(autouse=True)
def _own_folders(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
    cache_dir: Path,
    request: pytest.FixtureRequest,
) -> None:
    """Each test has its own inventory, results and local device; nothing of the user's is read or written."""
    own = tmp_path_factory.mktemp("edgekit")
    for name in ("STATE", "DATA", "CONFIG"):
        monkeypatch.setenv(f"EDGEKIT_{name}_DIR", str(own / name.lower()))
    monkeypatch.setenv("EDGEKIT_CACHE_DIR", str(cache_dir))
    monkeypatch.setenv("EDGEKIT_LOCAL_ROOT", str(own / "local-device"))
    monkeypatch.setenv("EDGEKIT_KNOWN_HOSTS", str(own / "known_hosts"))
    for name in ("EDGEKIT_TARGET", "EDGEKIT_DEVICE", "EDGEKIT_RECIPE", "EDGEKIT_KEY", "EDGEKIT_PLUGINS"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def quickstart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with quickstart.keras, train.npz and test.npz, trained once a run."""

    def build(base: Path) -> Path:
        folder = base / "quickstart"
        if not (folder / "quickstart.keras").exists():  # what it writes last
            script = ROOT / "examples" / "quickstart" / "train.py"
            subprocess.run([sys.executable, str(script), str(folder)], check=True, capture_output=True, timeout=300)
        return folder

    return once_a_run(tmp_path_factory, "quickstart", build)


@pytest.fixture(scope="session")
def torch_quickstart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with digits.safetensors, train.npz and test.npz of examples/pytorch, trained once a run."""

    def build(base: Path) -> Path:
        folder = base / "torch-quickstart"
        if not (folder / "digits.safetensors").exists():  # what it writes last
            script = ROOT / "examples" / "pytorch" / "train.py"
            subprocess.run([sys.executable, str(script), str(folder)], check=True, capture_output=True, timeout=300)
        return folder

    return once_a_run(tmp_path_factory, "torch-quickstart", build)


@pytest.fixture(scope="session")
def phone_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with small .ptl and .pte models, written once a session; see tests/models/phone_files.py."""
    folder = tmp_path_factory.mktemp("phone_files")
    command = [sys.executable, "-W", "ignore", "-m", "tests.models.phone_files", str(folder)]
    subprocess.run(command, check=True, capture_output=True, timeout=600, cwd=ROOT)
    return folder


@pytest.fixture(scope="session")
def shared() -> Path:
    """The real models and data beside the project."""
    if not SHARED.is_dir():
        pytest.skip(SHARED_IS_MISSING)
    return SHARED


def pytest_sessionfinish(session: pytest.Session) -> None:
    """In CI a skip that an installed package would have prevented is a failure."""
    if os.environ.get("CI") != "true":
        return
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    reasons = [str(report.longrepr[2]) for report in (reporter.stats.get("skipped", []) if reporter else [])]
    unexpected = [reason for reason in reasons if not any(allowed in reason for allowed in _ALLOWED_IN_CI)]
    if unexpected:
        reporter.write_line(f"these skips are not allowed in CI: {sorted(set(unexpected))}", red=True)
        session.exitstatus = 1
