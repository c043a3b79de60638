"""Subjects, a device of numbers and no waiting for the tests of the measuring session."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from edgekit.core.artifact import TensorSpec
from edgekit.core.events import ignore
from edgekit.flows.measuring import session
from edgekit.flows.subject import Subject
from edgekit.flows.workspace import Workspace, workspace

A, B = "a" * 64, "b" * 64


@pytest.fixture
def tools() -> Iterator[Workspace]:
    with workspace(ignore) as tools:
        yield tools


@pytest.fixture
def subject() -> Callable[[str], Subject]:
    def make(digest: str = A) -> Subject:
        signature = (TensorSpec(name="x", shape=(1, 4), dtype="float32"),)
        return Subject(
            name=digest[:1], digest=digest, format="fake", runtime="fake", inputs=signature, outputs=signature,
            path=None, size_bytes=1000,
        )  # fmt: skip

    return make


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds that the session wanted to sleep; the clock goes on by them."""
    slept: list[float] = []
    clock = {"s": 0.0}

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        clock["s"] += seconds

    monkeypatch.setattr(session, "time", _Time(sleep=sleep, monotonic=lambda: clock["s"]))
    return slept


class _Time:
    def __init__(self, **functions: Any) -> None:
        vars(self).update(functions)
