"""Fixtures that several test folders share; a folder's conftest imports those it wants."""

from __future__ import annotations

import atexit
import functools
from collections.abc import Callable
from pathlib import Path

import filelock
import pytest

from edgekit.core.isolation import Isolate
from tests.models import frameworks


def once_a_run(factory: pytest.TempPathFactory, name: str, build: Callable[[Path], Path]) -> Path:
    """What `build` makes below a folder, or finds there: one for all workers, the first of which makes it."""
    workers_own = factory.getbasetemp()
    base = workers_own.parent if workers_own.name.startswith("popen-") else workers_own
    with filelock.FileLock(base / f"{name}.lock", timeout=600):
        return build(base)


@pytest.fixture(scope="session")
def framework_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of `tests.models.frameworks`."""
    return once_a_run(tmp_path_factory, "framework-models", frameworks.build_once)


@pytest.fixture(scope="session")
def torch_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of `tests.models.torch_files`."""

    def build(base: Path) -> Path:
        folder = base / "torch-files"
        if not (folder / "tiny.pte").exists():  # what is written last
            folder.mkdir(exist_ok=True)
            what = {"folder": str(folder)}
            shared_user_isolate().call("tests.models.torch_files:write", what, what="writing PyTorch files")
        return folder

    return once_a_run(tmp_path_factory, "torch-files", build)


@functools.cache
def shared_isolate() -> Isolate:
    """One child process for the session, so that TensorFlow is imported once."""
    child = Isolate()
    atexit.register(child.close)
    return child


@functools.cache
def shared_user_isolate() -> Isolate:
    """One child process for the session that can import from the working folder, so that torch is imported once."""
    child = Isolate(user_code=True)
    atexit.register(child.close)
    return child


@pytest.fixture
def isolate() -> Isolate:
    """A child process that other tests use too."""
    return shared_isolate()
