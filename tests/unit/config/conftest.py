from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

Write = Callable[[str | bytes], Path]


@pytest.fixture
def user_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's configuration folder, empty."""
    folder = tmp_path / "user"
    folder.mkdir()
    monkeypatch.setenv("EDGEKIT_CONFIG_DIR", str(folder))
    return folder


@pytest.fixture
def project(tmp_path: Path, user_folder: Path) -> Path:
    """A project's folder, with no file in it."""
    folder = tmp_path / "project"
    folder.mkdir()
    return folder


@pytest.fixture
def write(project: Path) -> Write:
    """Writes `edgekit.toml` into the project."""

    def write_project(content: str | bytes) -> Path:
        path = project / "edgekit.toml"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write_project
