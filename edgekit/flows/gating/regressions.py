"""A build held against its baseline: one finding for time, instructions, memory, size and accuracy each."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from edgekit.core.answers import Answers
from edgekit.core.gate import Kind
from edgekit.core.mcnemar import mcnemar
from edgekit.core.measurement import InstructionCount, Measurement, Memory, Provenance, Validity
from edgekit.core.paired import CONFIDENCE, Losses, Pairs
from edgekit.core.regression import ALPHA, LEAST_PROCESSES, MOST_MARGIN, Change, Comparison
from edgekit.core.verdict import Check, Outcome
from edgekit.flows.gating.findings import Finding
from edgekit.flows.measuring.pair import Pair

_HELD_BACK = frozenset({Validity.THROTTLED, Validity.UNSTEADY, Validity.INVALID})
"""Flags that forbid to call a figure slower: the machine may have been it, not the build."""


def latency_finding(pair: Pair, device: str, allow: float | None) -> Finding:
    """Is the build slower than the baseline's artifact, which was measured in turn with it.

    It fails when it is slower by the test of `compare_medians` and the ratio is beyond what is allowed; it passes when
    the ratio's whole interval is within that, or it is the same or faster by that test.

    Args:
        pair: the baseline's artifact first, the build second.
        device: the device's name.
        allow: growth that is allowed, at least the device's margin; None for that margin.
    """
    flags = tuple(sorted({*pair.first.validity, *pair.second.validity} - {Validity.VALID}))
    before, after = (_median_ns(measurement) for measurement in (pair.first, pair.second))
    found = pair.comparison
    if found is None:
        return _finding("latency_ns", device, after, before, None, Outcome.INCONCLUSIVE, str(pair.reason), flags)
    limit = max(found.margin, allow or 0.0)
    outcome, reason = _latency_outcome(found, limit, named=allow is not None and allow >= found.margin)
    if outcome is Outcome.FAIL and (held := sorted(_HELD_BACK.intersection(flags))):
        outcome, reason = Outcome.INCONCLUSIVE, f"{reason}; measured {' and '.join(held)}: measure again"
    if Validity.EMULATED in flags:
        reason = f"{reason}; EMULATED"
    limit_ns = None if before is None else before * (1 + limit)
    return _finding("latency_ns", device, after, before, limit_ns, outcome, reason, flags, p_value=found.p_value)


def _latency_outcome(found: Comparison, limit: float, *, named: bool) -> tuple[Outcome, str]:
    change = f"{found.ratio - 1:+.1%} ({found.low - 1:+.1%} to {found.high - 1:+.1%})"
    reason = f"{change}, allowed {limit:.1%}, p {found.p_value:.2g}, {found.n[0]} and {found.n[1]} processes"
    if found.change is Change.SLOWER and found.ratio > 1 + limit:
        return Outcome.FAIL, reason
    trusted = (named or found.margin <= MOST_MARGIN) and min(found.n) >= LEAST_PROCESSES
    if found.change in (Change.SAME, Change.FASTER) or (trusted and found.high <= 1 + limit):
        return Outcome.PASS, reason
    if min(found.n) < LEAST_PROCESSES:
        return Outcome.INCONCLUSIVE, f"{reason}; needs {LEAST_PROCESSES} a side"
    if not trusted:
        return Outcome.INCONCLUSIVE, f"{reason}; the device is too noisy: quiet it, or allow a growth"
    if found.change is Change.SLOWER:
        return Outcome.INCONCLUSIVE, f"{reason}; slower, and too near to what is allowed: take more processes"
    needed = "no number of them settles a change at its limit" if found.needed is None else f"needs {found.needed}"
    return Outcome.INCONCLUSIVE, f"{reason}; {needed}"


def are_exact(*counts: InstructionCount | None) -> bool:
    """Whether each side's instructions are known to the last one."""
    return all(count is not None and count.exact for count in counts)


def instructions_finding(
    before: InstructionCount | None, after: InstructionCount | None, device: str, allow: float
) -> Finding | None:
    """Did a call come to take more instructions; None where the device counts none.

    Exact counts are held against the limit as they are; others pass or fail when their whole range does.
    """
    if before is None or after is None:
        return None
    limit = before.value * (1 + allow)
    growth = _growth(before.value, after.value, allow)
    if are_exact(before, after):
        outcome = Outcome.PASS if after.value <= limit else Outcome.FAIL
        return _finding("instructions", device, after.value, before.value, limit, outcome, f"{growth}, exact")
    outcome = _by_range((after.low, after.high), limit, worst_before=before.high * (1 + allow))
    reason = f"{growth}, {after.low:,} to {after.high:,} against {before.low:,} to {before.high:,}"
    return _finding("instructions", device, after.value, before.value, limit, outcome, reason)


def memory_finding(
    before: Sequence[Memory], after: Sequence[Memory], device: str, allow: float, *, provenance: Provenance
) -> Finding:
    """Did the peak of the process' memory grow; each side's is a range over the processes that were weighed."""
    flags = (Validity.EMULATED,) if provenance is Provenance.EMULATED else ()
    if not before or not after:
        return _finding(
            "ram_bytes", device, None, None, None, Outcome.INCONCLUSIVE, "the memory could not be measured", flags
        )
    old, new = ([memory.peak_rss_bytes for memory in side] for side in (before, after))
    limit = median(old) * (1 + allow)
    outcome = _by_range((min(new), max(new)), limit, worst_before=max(old) * (1 + allow))
    reason = f"{_growth(median(old), median(new), allow)}, {len(old)} and {len(new)} processes weighed"
    return _finding("ram_bytes", device, median(new), median(old), limit, outcome, reason, flags)


def size_finding(before: int, after: int, device: str, allow: float, *, metric: str = "flash_bytes") -> Finding:
    """Did a size that is known exactly grow."""
    limit = before * (1 + allow)
    outcome = Outcome.PASS if after <= limit else Outcome.FAIL
    growth = _growth(before, after, allow)
    return _finding(metric, device, after, before, limit, outcome, f"{growth}, exact")


def accuracy_finding(before: Answers, after: Answers, device: str, allow: float, *, same_file: bool = False) -> Finding:
    """Did the build answer worse on the same samples.

    It passes when the upper bound of the drop is within what is allowed (non-inferiority, one-sided); it fails when the
    drop is beyond that and proven to be a drop: by McNemar's test for right answers, by the bootstrap's interval for
    other metrics. Everything else needs more samples.

    Args:
        before, after: of the baseline and of the build, on the same samples.
        device: the device's name.
        allow: drop that is allowed, in the metric's own unit.
        same_file: both are of one file, so that equal answers need no proof.
    """
    losses = before.losses(after)
    bound = losses.interval(confidence=CONFIDENCE).high
    limit = before.value + (allow if before.lower_is_better else -allow)
    reason = (
        f"{before.metric} lost {losses.amount(losses.drop)}, at most {losses.amount(bound)} at {CONFIDENCE:.0%} "
        f"confidence, allowed {losses.amount(allow)}, n {losses.n:,.0f}"
    )
    p_value = _drop_p_value(losses)
    if bound <= allow or (same_file and losses.drop == 0):
        outcome = Outcome.PASS
        reason += "; the same file" if same_file else ""
    elif losses.drop > allow and _is_proven(losses, p_value):
        outcome = Outcome.FAIL
    else:
        outcome = Outcome.INCONCLUSIVE
        needed = losses.samples_needed(allow, confidence=CONFIDENCE)
        more = "no number of samples settles a drop at its limit" if needed is None else f"needs n >= {needed:,}"
        reason = f"{reason}; {more}"
    return _finding("accuracy", device, after.value, before.value, limit, outcome, reason, p_value=p_value)


def blocked(metric: str, device: str, reason: str) -> Finding:
    """A check that cannot be made: the two sides are not comparable, or the baseline lacks the figure."""
    return _finding(metric, device, None, None, None, Outcome.INCONCLUSIVE, reason)


def _drop_p_value(losses: Losses) -> float | None:
    """None for a metric that no single answer has."""
    return mcnemar(round(losses.lost), round(losses.won)) if isinstance(losses, Pairs) else None


def _is_proven(losses: Losses, p_value: float | None) -> bool:
    return p_value <= ALPHA if p_value is not None else losses.interval(confidence=1 - ALPHA / 2).low > 0


def _growth(before: float, after: float, allow: float) -> str:
    return f"{after / before - 1:+.2%}, allowed {allow:.2%}" if before else f"{after:,.0f}, it was 0"


def _by_range(after: tuple[float, float], limit: float, *, worst_before: float) -> Outcome:
    """Pass when all of the build's values are within the limit, fail when none is near the baseline's worst."""
    if after[1] <= limit:
        return Outcome.PASS
    return Outcome.FAIL if after[0] > worst_before else Outcome.INCONCLUSIVE


def _median_ns(measurement: Measurement) -> float | None:
    medians = [median(run.samples_ns) for run in measurement.runs if run.samples_ns]
    return float(median(medians)) if medians else None


def _finding(
    metric: str,
    device: str,
    value: float | None,
    baseline: float | None,
    limit: float | None,
    outcome: Outcome,
    reason: str,
    flags: tuple[Validity, ...] = (),
    *,
    p_value: float | None = None,
) -> Finding:
    check = Check(
        metric=metric, device=device, value=value, baseline=baseline, limit=limit, outcome=outcome, reason=reason
    )
    return Finding(kind=Kind.REGRESSION, check=check, flags=flags, p_value=p_value)
