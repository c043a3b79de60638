"""The guide's tests call what there is, with words that it knows."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable

import pytest

from edgekit.core.measurement import Plan
from edgekit.flows.api import Device
from edgekit.pytest_plugin.marker import Wanted
from edgekit.pytest_plugin.results import EvaluationResult, ProfileResult
from edgekit.pytest_plugin.runs import Evaluate, Profile
from tests.unit.docs.pages import GUIDES, blocks

EXAMPLES = {block.title: block.text for block in blocks(GUIDES / "pytest.md") if block.language == "python"}
KNOWN: dict[str, tuple[Callable[..., object], ...]] = {
    "edge_profile": (Profile.__call__,),
    "edge_evaluate": (Evaluate.__call__,),
    "result": (ProfileResult, EvaluationResult),
    "edge_device": (Device,),
}


@pytest.mark.parametrize("title", EXAMPLES)
def test_calls_of_an_example_fit_the_plugin(title: str) -> None:
    calls = [node for node in ast.walk(ast.parse(EXAMPLES[title])) if isinstance(node, ast.Call)]
    ours = [call for call in calls if isinstance(_owner(call.func), ast.Name) and _owner(call.func).id in KNOWN]

    assert len(ours) >= 4
    for call in ours:
        owners = KNOWN[_owner(call.func).id]
        found = [_method(owner, call.func) for owner in owners]
        (function,) = (one for one in found if one is not None)
        words = {str(keyword.arg): None for keyword in call.keywords}
        inspect.signature(function).bind(None, *call.args, **words)
        assert function is not Profile.__call__ or words.keys() <= {"mode", *Plan.__dataclass_fields__}


def _owner(function: ast.expr) -> ast.expr:
    return function.value if isinstance(function, ast.Attribute) else function


def _method(owner: Callable[..., object], function: ast.expr) -> Callable[..., object] | None:
    return getattr(owner, function.attr, None) if isinstance(function, ast.Attribute) else owner


def test_markers_of_the_examples_are_known() -> None:
    text = "".join(EXAMPLES.values())
    markers = [
        node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call) and "edge(" in ast.unparse(node)
    ]

    assert len(markers) == 2
    assert {str(word.arg) for marker in markers for word in marker.keywords} <= set(Wanted.__dataclass_fields__)
