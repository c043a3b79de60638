"""A build held against its budgets: a figure passes or fails with its whole interval, or stays open."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from edgekit.core.gate import Kind
from edgekit.core.measurement import Measurement, Provenance, Validity
from edgekit.core.target import Budgets
from edgekit.core.verdict import Check, Outcome, Verdict
from edgekit.flows.gating.findings import DISTURBED, Finding

_MARKOV = 10
"""Of times, which are never negative, at most a tenth is above ten times their mean."""

_ELSEWHERE = "in an emulator: it does not speak of the machine"


def budget_findings(
    budgets: Budgets,
    device: str,
    *,
    size_bytes: int,
    measurement: Measurement | None,
    profile: Mapping[str, Any],
    drop: Verdict | str,
) -> Iterator[Finding]:
    """One finding for each budget that is set.

    Args:
        budgets: the limits.
        device: the device's name.
        size_bytes: of the artifact's file.
        measurement: of the build; None where nothing was measured.
        profile: the measurement's document, whose figures these are.
        drop: the accuracy held against its budget, or why that could not be done.
    """
    if budgets.flash_bytes is not None:
        yield exact_budget("flash_bytes", device, size_bytes, budgets.flash_bytes, "size of the artifact's file")
    if budgets.ram_bytes is not None:
        yield _ram(budgets.ram_bytes, device, measurement)
    if budgets.latency_p90_ns is not None:
        yield _latency(budgets.latency_p90_ns, device, measurement, profile)
    if budgets.accuracy_drop is not None:
        yield drop_budget(drop, budgets.accuracy_drop, device)


def exact_budget(metric: str, device: str, value: float, limit: float, reason: str) -> Finding:
    """A figure that is known exactly."""
    return budget_finding(metric, device, value, limit, Outcome.PASS if value <= limit else Outcome.FAIL, reason)


def _ram(limit: float, device: str, measurement: Measurement | None) -> Finding:
    weighed = () if measurement is None else measurement.memories or (measurement.memory,)
    peaks = sorted(memory.peak_rss_bytes for memory in weighed if memory is not None)
    if measurement is None or not peaks:
        why = "not measured" if measurement is None else measurement.memory_reason or "not measured"
        return budget_finding("ram_bytes", device, None, limit, Outcome.INCONCLUSIVE, why)
    reason = f"peak resident size, {peaks[0]:,} to {peaks[-1]:,} bytes in {len(peaks)} processes"
    return _by_interval("ram_bytes", device, peaks[len(peaks) // 2], (peaks[0], peaks[-1]), limit, reason, measurement)


def _latency(limit: float, device: str, measurement: Measurement | None, profile: Mapping[str, Any]) -> Finding:
    value = (profile.get("latency_ns") or {}).get("p90")
    bounds = (profile.get("latency_ci95") or {}).get("p90")
    if measurement is not None and value is None and (mean := profile.get("mean_ns") or {}).get("ci95"):
        bound = _MARKOV * mean["ci95"][1]
        reason = f"p90 is at most {_MARKOV} times the mean (Markov), {bound:,.0f} ns; a sample is a mean of calls"
        if bound <= limit:
            return _by_interval("latency_p90_ns", device, bound, (bound, bound), limit, reason, measurement)
    if measurement is None or value is None:
        reasons = profile.get("latency_reasons") or {}
        why = reasons.get("p90") or reasons.get("all") or "not measured"
        return budget_finding("latency_p90_ns", device, None, limit, Outcome.INCONCLUSIVE, str(why))
    if bounds is None:
        return budget_finding(
            "latency_p90_ns", device, value, limit, Outcome.INCONCLUSIVE, "p90 has no interval: it takes more processes"
        )
    reason = f"p90 of all calls, 95 % interval {bounds[0]:,.0f} to {bounds[1]:,.0f} ns"
    return _by_interval("latency_p90_ns", device, value, (bounds[0], bounds[1]), limit, reason, measurement)


def _by_interval(
    metric: str,
    device: str,
    value: float,
    bounds: tuple[float, float],
    limit: float,
    reason: str,
    measurement: Measurement,
) -> Finding:
    flags = tuple(flag for flag in measurement.validity if flag is not Validity.VALID)
    disturbed = sorted(DISTURBED.intersection(flags))
    if measurement.provenance is not Provenance.MEASURED:
        outcome, reason = Outcome.INCONCLUSIVE, f"{reason}, {_ELSEWHERE}"
    elif Validity.INVALID in flags:
        outcome, reason = Outcome.INCONCLUSIVE, f"{reason}, measured INVALID"
    elif bounds[1] <= limit:  # what disturbs makes slower, so it takes nothing from this
        outcome = Outcome.PASS
    elif bounds[0] > limit and not disturbed:
        outcome = Outcome.FAIL
    else:
        outcome = Outcome.INCONCLUSIVE
        reason += f", measured {' and '.join(disturbed)}" if disturbed else ", which the limit lies in"
    return budget_finding(metric, device, value, limit, outcome, reason, flags)


def drop_budget(drop: Verdict | str, limit: float, device: str) -> Finding:
    """The accuracy held against its budget, or why that could not be done."""
    if isinstance(drop, str):
        return budget_finding("accuracy_drop", device, None, limit, Outcome.INCONCLUSIVE, drop)
    return budget_finding(drop.metric, device, drop.value, drop.limit, drop.outcome, drop.reason)


def budget_finding(
    metric: str,
    device: str,
    value: float | None,
    limit: float,
    outcome: Outcome,
    reason: str,
    flags: tuple[Validity, ...] = (),
) -> Finding:
    """A budget with what was found."""
    check = Check(metric=metric, device=device, value=value, baseline=None, limit=limit, outcome=outcome, reason=reason)
    return Finding(kind=Kind.BUDGET, check=check, flags=flags)
