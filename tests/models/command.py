"""The command line in the tests' own process, with one warm child for its foreign code.

A process a command, and a child with a framework of its own, take seconds. `main` adds no more than the exit, and
tests/unit/cli holds the processes to what they promise.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from edgekit.cli._app import run
from edgekit.core.isolation import Isolate
from edgekit.flows import workspace
from tests.models.fixtures import shared_isolate


def edgekit(*arguments: object, cwd: Path, fails: int = 0) -> dict[str, Any]:
    """The document of `edgekit ... --json`, run in a folder; `fails` is its exit code."""
    with chdir(cwd), redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as told:
        code = run([*map(str, arguments), "--json"])
    assert code == fails, told.getvalue()
    document: dict[str, Any] = json.loads(out.getvalue())
    return document


@pytest.fixture
def warm_child(monkeypatch: pytest.MonkeyPatch) -> None:
    """Flows lend their child process from the session; the one for the user's own functions is new each time."""

    @contextmanager
    def isolate(**options: Any) -> Iterator[Isolate]:
        if options:
            with Isolate(**options) as own:
                yield own
        else:
            yield shared_isolate()

    monkeypatch.setattr(workspace, "Isolate", isolate)
