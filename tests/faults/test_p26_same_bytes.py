"""P26: the same input, the same bytes. And the experiment sees what depends on the day or on the order of a set."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from edgekit.core.files import write_atomically
from edgekit.selftest.promise import Lab, Scale
from edgekit.selftest.promises import p26_same_bytes as p26
from tests.faults.conftest import Holds


def test_builds_of_one_model_are_the_same(holds: Holds) -> None:
    holds("P26")


@pytest.mark.full
def test_builds_of_one_model_are_the_same_in_full(holds: Holds) -> None:
    holds("P26", Scale.FULL)


def test_parts_list_with_a_number_of_its_own_is_found_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One build is enough here: it is copied, and its papers carry a number that rises."""
    numbers, papers, builds = itertools.count(), p26._papers, {}
    build = p26._build

    def once(folder: Path, model: bytes, recipe: str, number: int) -> Path | str:
        if not builds:
            builds[recipe] = build(folder, model, recipe, number)
        return builds[next(iter(builds))]

    def numbered(path: Path) -> tuple[bytes, str]:
        sbom, statement = papers(path)
        return sbom + str(next(numbers)).encode(), statement

    monkeypatch.setattr(p26, "_build", once)
    monkeypatch.setattr(p26, "_papers", numbered)

    found = p26.PROMISE.run(Lab(folder=tmp_path))

    assert any("different parts lists" in line for line in found.failures), found.failures


def test_bundle_that_differs_is_found_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def differing(folder: Path, model: bytes, recipe: str, number: int) -> Path:
        write_atomically(folder / "built.edgekit", f"{recipe} {number}".encode())
        return folder / "built.edgekit"

    monkeypatch.setattr(p26, "_build", differing)
    monkeypatch.setattr(p26, "_papers", lambda path: (b"", ""))

    found = p26.PROMISE.run(Lab(folder=tmp_path))

    assert found.failures == tuple(f"{recipe}: 2 different bundles" for recipe in p26.RECIPES[:2])
