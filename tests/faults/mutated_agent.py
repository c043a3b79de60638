"""Agents that lack what keeps a promise, for proof that the promise's experiment finds it out."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from edgekit.device import agent_build

Mutate = Callable[[str, str], None]


@pytest.fixture
def mutate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mutate]:
    """`mutate(old, new)` replaces a piece of the agent's source, wherever it is, in every agent of the test."""

    def replace(old: str, new: str) -> None:
        found = [(name, data.decode()) for name, data in agent_build._sources()]
        assert any(old in text for _, text in found), f"the agent holds no {old!r}"
        monkeypatch.setattr(
            agent_build, "_sources", lambda: ((name, text.replace(old, new).encode()) for name, text in found)
        )
        _build_anew()

    yield replace
    monkeypatch.undo()
    _build_anew()


def _build_anew() -> None:
    agent_build.build_agent.cache_clear()
    agent_build.agent_digest.cache_clear()
