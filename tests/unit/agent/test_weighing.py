"""How memory is weighed."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

_HOARDER = """
import json
from device_agents.linux import weighing

class Session:
    arena_bytes = 1234

    def run(self, values):
        return []

hoard = []

def prepare():
    b"y" * 200_000_000  # a peak of the imports, gone before the model is loaded

def load():
    hoard.append(b"x" * 50_000_000)
    return Session()

print(json.dumps(weighing.memory(prepare=prepare, load=load, samples=lambda _: [(0,)])))
"""


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    """Of a process of its own: the test's may have free memory left, and then its pages do not grow."""
    output = subprocess.run([sys.executable, "-c", _HOARDER], check=True, capture_output=True).stdout
    facts: dict[str, Any] = json.loads(output)
    return facts


def test_memory_is_the_peak_after_the_imports(found: dict[str, Any]) -> None:
    assert 49_000_000 < found["peak_rss_bytes"] - found["baseline_rss_bytes"] < 60_000_000


def test_memory_that_is_in_use_is_told_as_shares_too(found: dict[str, Any]) -> None:
    assert 50_000_000 < found["private_bytes"] <= found["pss_bytes"] < found["peak_rss_bytes"]
    assert found["swap_bytes"] >= 0
    assert found["arena_bytes"] == 1234
