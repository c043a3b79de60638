"""The agent's frozen records behave as the dataclasses that they stand in for."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from device_agents.linux import record

ROOT = Path(__file__).resolve().parents[3]
MODULES = {"record": record, "dataclasses": dataclasses}


@pytest.fixture(params=sorted(MODULES))
def module(request: pytest.FixtureRequest) -> Any:
    return MODULES[request.param]


@pytest.fixture
def point(module: Any) -> Any:
    @module.dataclass(frozen=True)
    class Point:
        """A point."""

        x: int
        y: int = 2
        tags: list[str] = module.field(default_factory=list)

        @property
        def total(self) -> int:
            return self.x + self.y

    return Point


def test_record_takes_its_fields_by_place_and_by_name(point):
    assert (point(1).x, point(1).y, point(1, 5).y, point(x=3).total) == (1, 2, 5, 5)
    assert point.__doc__ == "A point."
    assert repr(point(1)).endswith("Point(x=1, y=2, tags=[])")


@pytest.mark.parametrize(
    ("values", "named"), [((), {}), ((), {"y": 1}), ((1,), {"x": 1}), ((1,), {"z": 1}), ((1, 2, [], 4), {})]
)
def test_record_refuses_other_fields(point, values, named):
    with pytest.raises(TypeError):
        point(*values, **named)


def test_default_is_made_anew_for_each_record(point):
    point(1).tags.append("a")

    assert point(1).tags == []


def test_record_is_frozen(point):
    one = point(1)

    with pytest.raises(AttributeError):
        one.x = 2
    with pytest.raises(AttributeError):
        del one.x


def test_records_are_equal_when_their_fields_are(point):
    assert point(1) == point(1, 2)
    assert point(1) != point(2)
    assert point(1) != 1


def test_record_of_hashable_fields_can_be_a_key(module):
    @module.dataclass(frozen=True)
    class Name:
        text: str

    assert {Name("a"): 1}[Name("a")] == 1


def test_replace_gives_a_copy_with_other_values(module, point):
    one = point(1, tags=["a"])

    assert module.replace(one, y=7) == point(1, 7, ["a"])
    assert one.y == 2
    with pytest.raises(TypeError):
        module.replace(one, z=1)


def test_asdict_copies_what_is_inside(module, point):
    one = point(1, tags=["a"])
    plain = module.asdict(point(one, {"k": [one]}))

    assert plain == {"x": {"x": 1, "y": 2, "tags": ["a"]}, "y": {"k": [{"x": 1, "y": 2, "tags": ["a"]}]}, "tags": []}
    plain["x"]["tags"].append("b")
    assert one.tags == ["a"]


def test_agent_starts_without_what_takes_long_to_import():
    program = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import device_agents.linux.agent; print(*sys.modules)"

    printed = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True, check=True, timeout=60
    )

    slow = {"dataclasses", "inspect", "typing", "subprocess", "socket", "platform", "zipfile", "traceback", "pathlib"}
    assert not slow & set(printed.stdout.split())
