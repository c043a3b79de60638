"""examples/fleet: the canary stops the bad release, the good one is on every device that can take it, all are named."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter, defaultdict
from html import unescape
from pathlib import Path
from typing import Any

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "fleet" / "fleet.py"
HEALTHY = {"none", "slow", "flapping"}
_LIMIT_S = 600


@pytest.mark.parametrize("devices", [10, pytest.param(100, marks=pytest.mark.full)])
def test_bad_release_stops_at_the_canary_and_the_good_one_reaches_all_healthy_devices(
    tmp_path: Path, devices: int
) -> None:
    command = [sys.executable, str(EXAMPLE), str(tmp_path), "--devices", str(devices)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_LIMIT_S, check=True)
    bad, good = (json.loads((tmp_path / f"{name}.json").read_text()) for name in ("bad", "good"))

    assert bad["reason"].startswith("the canary failed on ")
    assert [one["counts"] for one in bad["devices"]].count(True) == 1
    assert bad["counts"]["new"] == 0
    assert good["outcome"] == "partial"
    ends = by_trouble(done.stdout)
    assert {trouble for trouble, states in ends.items() if set(states) == {"new"}} == HEALTHY
    assert {trouble for trouble, states in ends.items() if "new" in states} == HEALTHY
    assert sum(sum(states.values()) for states in ends.values()) == devices
    for name, document in (("bad", bad), ("good", good)):
        page = (tmp_path / f"{name}.html").read_text()
        assert [one for one in document["devices"] if not is_named(one, page)] == []


def by_trouble(said: str) -> dict[str, Counter[str]]:
    """What the example says of the good release: how many devices of each kind ended where."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for line in said[said.index("\ngood: ") + 1 :].splitlines()[1:]:
        count, *trouble, state = line.split()
        found[" ".join(trouble)][state] += int(count)
    return found


def is_named(device: dict[str, Any], page: str) -> bool:
    """Whether the page has a row for a device with its state, and its reason unless it is new."""
    rows = [unescape(row) for row in page.split("<tr") if f">{device['device']}<" in row]
    return any(f">{device['state']}<" in row and device["reason"][:60] in row for row in rows)
