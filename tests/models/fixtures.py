"""Fixtures that several test folders share; a folder's conftest imports those it wants."""

from __future__ import annotations

import atexit
import functools
from pathlib import Path

import pytest

from edgekit.core.isolation import Isolate
from tests.models import frameworks


@pytest.fixture(scope="session")
def framework_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of `tests.models.frameworks`."""
    return frameworks.build_once(tmp_path_factory.getbasetemp())


@functools.cache
def shared_isolate() -> Isolate:
    """One child process for the session, so that TensorFlow is imported once."""
    child = Isolate()
    atexit.register(child.close)
    return child


@pytest.fixture
def isolate() -> Isolate:
    """A child process that other tests use too."""
    return shared_isolate()
