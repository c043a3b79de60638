"""How times are taken, without a process around it."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from device_agents.linux import measuring


class Counter:
    """A session that notes what it was given."""

    def __init__(self) -> None:
        self.inputs: list[dict[str, Any]] = []
        self.outputs: list[dict[str, Any]] = []
        self.seen: list[int] = []

    def samples(self, index: int, data: memoryview, count: int) -> list[int]:
        return []

    def run(self, values: tuple[Any, ...]) -> list[Any]:
        self.seen.append(values[0])
        return []


@pytest.fixture(autouse=True)
def _collector() -> Iterator[None]:
    yield
    gc.unfreeze()
    gc.enable()


def latency(session: Counter, **plan: Any) -> dict[str, Any]:
    return measuring.latency(
        prepare=lambda: None, load=lambda: session, samples=lambda _: [(0,), (1,), (2,)], plan=plan
    )


def test_latency_cycles_the_inputs() -> None:
    session = Counter()

    latency(session, warmup=2, samples=4, min_seconds=0, max_samples=100)

    assert session.seen == [0, 1, 2, 0, 1, 2, 0]


def test_latency_goes_on_for_the_seconds_asked_for() -> None:
    session = Counter()

    found = latency(session, warmup=5, samples=2, min_seconds=0.01, max_samples=1_000_000)

    assert found["batch"] == 1
    assert len(found["samples_ns"]) > 2
    assert len(session.seen) == 1 + 5 + len(found["samples_ns"])


def test_latency_takes_the_mean_of_several_calls_when_the_answer_has_no_room_for_each() -> None:
    session = Counter()

    found = latency(session, warmup=5, samples=10, min_seconds=0.02, max_samples=50)

    assert found["batch"] > 1
    assert 10 <= len(found["samples_ns"]) <= 50
    assert len(session.seen) == 1 + 5 + len(found["samples_ns"]) * found["batch"]


_HOARDER = """
import json
from device_agents.linux import measuring

class Session:
    def run(self, values):
        return []

hoard = []

def load():
    hoard.append(b"x" * 50_000_000)
    return Session()

print(json.dumps(measuring.memory(prepare=lambda: None, load=load, samples=lambda _: [(0,)])))
"""


def test_memory_is_the_peak_after_the_imports() -> None:
    """In a process of its own: the runner's may have free memory left, and then its pages do not grow."""
    found = json.loads(subprocess.run([sys.executable, "-c", _HOARDER], check=True, capture_output=True).stdout)

    assert found["peak_rss_bytes"] - found["baseline_rss_bytes"] > 49_000_000
