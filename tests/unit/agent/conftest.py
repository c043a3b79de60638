"""A device of its own for each test: a ROOT, and the real agent on it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from edgekit.selftest.lab.agent_process import AgentProcess


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """ROOT of a device that edgekit has never seen."""
    return tmp_path / "root"


@pytest.fixture(scope="module")
def shared_agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AgentProcess]:
    """An agent for tests that leave nothing behind that another test could see."""
    with AgentProcess(tmp_path_factory.mktemp("device") / "root") as process:
        yield process.boot()


@pytest.fixture
def agent(root: Path) -> Iterator[AgentProcess]:
    """The agent, running."""
    with AgentProcess(root) as process:
        yield process.boot()
