"""Answers about a model that are remembered: the same bytes are read once, in a child, and never by us."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from edgekit.core.isolation import Isolate
from edgekit.flows import reading
from edgekit.flows.reading import Remembering
from edgekit.store.cache import Cache, DamagedEntry

RECOGNISE = "edgekit.sources._child:recognise"


class Counting(Isolate):
    """Answers with the number of the question, and starts nothing."""

    def __init__(self, rewrites: Path | None = None) -> None:
        super().__init__()
        self.asked = 0
        self.rewrites = rewrites

    def call(self, function: str, params: Any, **_: Any) -> Any:
        self.asked += 1
        if self.rewrites is not None:
            self.rewrites.write_bytes(b"rewritten")
        return {"answer": self.asked}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.tflite"
    path.write_bytes(b"a model")
    return path


@pytest.fixture
def damages() -> list[DamagedEntry]:
    return []


@pytest.fixture
def cache(tmp_path: Path, damages: list[DamagedEntry]) -> Cache:
    return Cache(tmp_path / "cache", on_damage=damages.append)


def ask(isolate: Isolate, cache: Cache, path: Path, function: str = RECOGNISE) -> Any:
    return Remembering(isolate, cache, path.parent).call(function, {"path": str(path)}, what="reading")


def test_same_bytes_are_read_once(cache, model):
    child = Counting()

    assert ask(child, cache, model) == ask(child, cache, model) == {"answer": 1}
    assert child.asked == 1


def test_other_bytes_another_name_and_another_question_are_read_anew(cache, model):
    child = Counting()
    ask(child, cache, model)

    ask(child, cache, model, "edgekit.flows._child:facts")
    ask(child, cache, Path(shutil.copy(model, model.with_name("other.tflite"))))
    model.write_bytes(b"another model")
    ask(child, cache, model)

    assert child.asked == 4


def test_changed_reader_reads_anew(cache, model, monkeypatch):
    child = Counting()
    ask(child, cache, model)
    monkeypatch.setattr(reading, "_reader_digest", lambda: "0" * 64)

    ask(child, cache, model)

    assert child.asked == 2


def test_damaged_answer_is_noticed_and_read_anew(cache, model, damages):
    child = Counting()
    ask(child, cache, model)
    (content,) = cache.root.glob("*/*/content.json")
    content.write_bytes(b'{"answer": 9}')

    assert ask(child, cache, model) == {"answer": 2}
    assert len(damages) == 1


def test_source_that_rewrites_its_copy_is_asked_every_time(cache, model):
    child = Counting(rewrites=model)
    ask(child, cache, model)
    model.write_bytes(b"a model")

    ask(child, cache, model)

    assert child.asked == 2


def test_nothing_is_remembered_where_a_source_is_a_plug_in(cache, model, tmp_path, monkeypatch):
    (tmp_path / "plugins" / "sources").mkdir(parents=True)
    (tmp_path / "plugins" / "sources" / "own.py").write_text('"""A source."""\n')
    monkeypatch.setenv("EDGEKIT_PLUGINS", str(tmp_path / "plugins"))
    child = Counting()

    ask(child, cache, model)
    ask(child, cache, model)

    assert child.asked == 2


def test_work_of_passes_is_not_remembered(cache, model):
    child = Counting()

    for _ in range(2):
        ask(child, cache, model, "edgekit.passes._child:describe")

    assert child.asked == 2
