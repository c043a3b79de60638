from __future__ import annotations

import threading
from pathlib import Path

import pytest

from edgekit.emulators._cache import STAMP, cache_key, cached


class Builder:
    """Builds a folder with one file and counts how often."""

    def __init__(self) -> None:
        self.runs = 0

    def __call__(self, folder: Path) -> None:
        self.runs += 1
        (folder / "content").write_text("built")


def test_key_follows_the_recipe_and_not_its_order() -> None:
    assert cache_key({"a": 1, "b": [2]}) == cache_key({"b": [2], "a": 1})
    assert cache_key({"a": 1}) != cache_key({"a": 2})


def test_second_request_builds_nothing(tmp_path: Path) -> None:
    build = Builder()

    first = cached(tmp_path, "thing", {"a": 1}, build)
    second = cached(tmp_path, "thing", {"a": 1}, build)

    assert first == second
    assert build.runs == 1
    assert (first / "content").read_text() == "built"


def test_another_recipe_is_another_folder(tmp_path: Path) -> None:
    build = Builder()

    assert cached(tmp_path, "thing", {"a": 1}, build) != cached(tmp_path, "thing", {"a": 2}, build)


@pytest.mark.parametrize("lost", [STAMP, "content"])
def test_damaged_folder_is_built_again(tmp_path: Path, lost: str) -> None:
    build = Builder()
    folder = cached(tmp_path, "thing", {}, build, must_hold=("content",))
    (folder / lost).unlink()

    cached(tmp_path, "thing", {}, build, must_hold=("content",))

    assert build.runs == 2
    assert (folder / "content").exists()


def test_failed_build_leaves_nothing(tmp_path: Path) -> None:
    def fail(folder: Path) -> None:
        (folder / "half").write_text("x")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        cached(tmp_path, "thing", {}, fail)

    assert [path.name for path in (tmp_path / "thing").iterdir() if path.is_dir()] == []


def test_two_at_once_build_once(tmp_path: Path) -> None:
    build = Builder()
    both = [threading.Thread(target=cached, args=(tmp_path, "thing", {}, build)) for _ in range(2)]

    for thread in both:
        thread.start()
    for thread in both:
        thread.join(timeout=20)

    assert build.runs == 1
