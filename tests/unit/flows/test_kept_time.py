"""The time that kept layers cost: paired processes on this computer, or the reason why there is no figure."""

from __future__ import annotations

import pytest

from edgekit.flows import kept_time as module
from edgekit.flows.kept_time import TimeRatio, kept_time, time_ratio


def test_ratio_is_taken_pair_by_pair():
    found = time_ratio([100, 200, 100], [110, 240, 130])

    assert (found.low, found.value, found.high) == pytest.approx((1.1, 1.2, 1.3))
    assert (found.pairs, found.plain_ns, found.artifact_ns) == (3, 100, 130)
    assert "this computer" in found.where


def test_two_artifacts_are_measured_in_fresh_processes(bench, monkeypatch):
    at = bench("spoilt", max_drop=0.02, samples=60)
    monkeypatch.setattr(module, "PAIRS", 1)

    found = kept_time(at.reference, at.reference, at.meter.evaluation, runtime="litert", tools=at.meter.tools)

    assert isinstance(found, TimeRatio)
    assert found.plain_ns > 0
    assert found.low == found.value == found.high == pytest.approx(found.artifact_ns / found.plain_ns)


def test_compilation_goes_on_where_nothing_can_be_measured(bench):
    at = bench("spoilt", max_drop=0.02, samples=60)

    found = kept_time(at.reference, at.reference, None, runtime="no_such_runtime", tools=at.meter.tools)

    assert isinstance(found, str)
    assert found.startswith("it could not be measured on this computer")
