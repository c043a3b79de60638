"""A child that asks its parent: answers, refusals, and what ends the call."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from edgekit.core import questions
from edgekit.core.errors import InterruptedByUserError, UnsupportedError
from edgekit.core.isolation import Isolate
from edgekit.core.progress import tell
from edgekit.core.questions import ask


@pytest.fixture
def isolate() -> Iterator[Isolate]:
    with Isolate() as child:
        yield child


def add_up(texts: list[str]) -> int:
    """In the child: ask for the length of each text, and say so."""
    total = 0
    for text in texts:
        tell(f"asking for {text}")
        total += ask({"length": text})
    return total


def ask_twice() -> str:
    """In the child: the first question is refused."""
    try:
        ask({"wrong": True})
    except ValueError as refused:
        return f"{refused}, then {ask({'right': True})}"
    return "not refused"


def call(isolate: Isolate, function: str, on_ask: Any = None, **params: Any) -> Any:
    return isolate.call(f"{Path(__file__)}:{function}", params, what="asking", timeout_s=60, on_ask=on_ask)


def test_answers_come_back_in_order_between_words_of_progress(isolate: Isolate):
    heard: list[str] = []

    def answer(question: Mapping[str, Any]) -> int:
        heard.append(question["length"])
        return len(question["length"])

    texts = ["a", "bcd", "ef\nä"]
    assert call(isolate, "add_up", answer, texts=texts) == 8
    assert heard == texts
    assert call(isolate, "add_up", answer, texts=["the same child"]) == 14


def test_value_error_is_a_refusal_that_the_child_lives_through(isolate: Isolate):
    def answer(question: Mapping[str, Any]) -> str:
        if "wrong" in question:
            raise ValueError("not that")
        return "fine"

    assert call(isolate, "ask_twice", answer) == "not that, then fine"


def test_without_an_answerer_every_question_is_refused(isolate: Isolate):
    with pytest.raises(UnsupportedError, match="nobody answers"):
        call(isolate, "add_up", texts=["a"])


def test_other_errors_of_the_answerer_end_the_child(isolate: Isolate):
    def answer(_question: Mapping[str, Any]) -> Any:
        raise InterruptedByUserError("enough")

    with pytest.raises(InterruptedByUserError, match="enough"):
        call(isolate, "add_up", answer, texts=["a"])
    assert isolate._process is None
    assert call(isolate, "add_up", len, texts=["a"]) == 1  # a new child


def test_outside_of_a_child_nobody_answers():
    with pytest.raises(RuntimeError, match="nobody answers"):
        questions.ask({"anything": 1})
