"""Nets of users' spaces: the study answers their questions; what raises, hangs or must stop ends as told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from edgekit.core.errors import DeadlineError, InputError, InterruptedByUserError, UnsupportedError
from edgekit.core.search.space import Value
from edgekit.engines._base import Asked
from edgekit.flows.searching.architecture import Net, Shapes, build_net, suggested
from edgekit.flows.searching.training_stage import Ladder, rungs, teachable
from edgekit.flows.workspace import Workspace, workspace
from tests.models.search_spaces import CLASSES, Chooser

SHAPES = Shapes(inputs=((8, 8, 1),), dtypes=("float32",), classes=CLASSES)


class AskedFor(Asked):
    """A trial whose values a Chooser gives."""

    def __init__(self, chooser: Chooser) -> None:
        self.number, self.attempts = 4, 1
        self._chooser = chooser

    @property
    def params(self) -> Mapping[str, Value]:
        """Nothing is declared."""
        return {}

    @property
    def suggests(self) -> Chooser:
        """The chooser."""
        return self._chooser


@pytest.fixture(scope="module")
def tools() -> Iterator[Workspace]:
    with workspace(lambda _: None) as made:
        yield made


def build(space: str, tools: Workspace, *, timeout_s: float = 120.0, stopped: bool = False, **point: Value) -> Net:
    return build_net(
        f"tests.models.search_spaces:{space}",
        SHAPES,
        AskedFor(Chooser(**point)),
        tools,
        seed=0,
        timeout_s=timeout_s,
        stopped=lambda: stopped,
    )


def test_a_function_that_never_ends_is_ended(tools: Workspace):
    with pytest.raises(DeadlineError, match="took longer than 3 s"):
        build("hangs", tools, timeout_s=3.0)


def test_a_function_that_raises_is_quoted(tools: Workspace):
    with pytest.raises(UnsupportedError, match="ZeroDivisionError: no filters left"):
        build("raises", tools)


def test_a_range_that_is_none_is_the_functions_error(tools: Workspace):
    with pytest.raises(UnsupportedError, match="depth: 5 to 1 by 1 is no range"):
        build("asks_nonsense", tools)


def test_a_search_that_stops_does_not_wait_for_the_net(tools: Workspace):
    with pytest.raises(InterruptedByUserError):
        build("hangs", tools, stopped=True)


@pytest.mark.parametrize(
    "question",
    [
        {"suggest": "categorical", "name": "a", "choices": []},
        {"suggest": "int", "name": "a", "low": 1.5, "high": 3, "step": 1, "log": False},
        {"suggest": "int", "name": 3, "low": 1, "high": 3, "step": 1, "log": False},
        {"suggest": "float", "name": "a", "low": 2.0, "high": float("nan")},
        {"suggest": "colour", "name": "a"},
        {"rung": 3},
    ],
)
def test_questions_that_are_none_are_refused(question: Mapping[str, Any]):
    with pytest.raises(ValueError, match=r"suggestion|range"):
        suggested(Chooser(), question, lambda: False)


@pytest.mark.parametrize(
    ("epochs", "expected"), [(1, (1,)), (2, (1, 2)), (3, (1, 3)), (9, (1, 3, 9)), (25, (1, 3, 9, 25))]
)
def test_rungs_are_powers_of_three_and_the_end(epochs: int, expected: tuple[int, ...]):
    assert rungs(epochs) == expected


class Remembers:
    """What a study keeps."""

    def __init__(self) -> None:
        self.all: dict[str, Any] = {}

    def keep(self, name: str, value: Any) -> None:
        """As `Study.keep`."""
        self.all[name] = value

    def kept(self, prefix: str) -> Mapping[str, Any]:
        """As `Study.kept`."""
        return {name: value for name, value in self.all.items() if name.startswith(prefix)}


def test_a_ladder_compares_with_the_others_of_its_rung_and_never_with_itself():
    study, seen = Remembers(), []

    def promotes(others: Sequence[Sequence[float]], mine: Sequence[float]) -> bool:
        seen.append((sorted(others), list(mine)))
        return len(others) < 1

    first, second = (Ladder(study, number, [cost], promotes) for number, cost in ((1, 5.0), (12, 7.0)))  # type: ignore[arg-type]

    assert first.goes_on(1, 0.5)
    assert first.goes_on(1, 0.25)  # the same trial begun again
    assert not second.goes_on(1, 0.75)
    assert first.goes_on(3, 0.5)
    assert seen == [([], [-0.5, 5.0]), ([], [-0.25, 5.0]), ([[-0.25, 5.0]], [-0.75, 7.0]), ([], [-0.5, 5.0])]


def test_probabilities_of_a_teacher_become_scores_with_the_same_softmax():
    scores = np.array([[2.0, -1.0, 0.5], [0.0, 3.0, 1.0]])
    shares = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)

    found = teachable(shares)

    assert np.allclose(found - found[:, :1], scores - scores[:, :1], atol=1e-5)
    assert np.array_equal(teachable(scores), scores.astype(np.float32))


def test_one_score_of_a_teacher_becomes_two():
    logits = np.array([[-2.0], [3.0]])

    assert np.allclose(teachable(logits), [[0, -2], [0, 3]])
    assert np.allclose(teachable(1 / (1 + np.exp(-logits))), [[0, -2], [0, 3]], atol=1e-5)


def test_a_teacher_of_pictures_is_refused():
    with pytest.raises(InputError, match=r"\[4, 4\]"):
        teachable(np.zeros((2, 4, 4)))
