"""What every emulator promises before it is used; a new file in edgekit/emulators is covered without wiring."""

from __future__ import annotations

import ast

import pytest

from edgekit.core.registry import EMULATORS
from edgekit.emulators import Emulator, Missing, emulators

every_emulator = pytest.mark.parametrize("name", EMULATORS.names())


@every_emulator
def test_file_opens_with_one_sentence(name: str) -> None:
    summary = EMULATORS.summary(name)

    assert summary.endswith(".")
    assert len(summary) < 120


@every_emulator
def test_missing_things_come_with_a_remedy(name: str) -> None:
    lacks = EMULATORS.load(name).missing()

    assert all(isinstance(lack, Missing) and lack.what and lack.remedy for lack in lacks)


@every_emulator
def test_ssh_emulator_has_a_backend_name_and_a_summary(name: str) -> None:
    plug_in = EMULATORS.load(name)
    if not isinstance(plug_in, Emulator):
        pytest.skip(f"{name} does not answer on SSH")

    assert plug_in.backend.isidentifier()
    assert plug_in.summary
    assert "\n" not in plug_in.summary


def test_backend_names_are_unique() -> None:
    loaded = [EMULATORS.load(name) for name in EMULATORS.names()]

    assert len(emulators()) == sum(isinstance(plug_in, Emulator) for plug_in in loaded)


@every_emulator
def test_library_prints_nothing(name: str) -> None:
    tree = ast.parse(EMULATORS.files()[name].read_text(encoding="utf-8"))

    calls = {node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}

    assert "print" not in calls
