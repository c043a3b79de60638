"""How much a model lost against another one on the same samples, and whether that is within a margin."""

from __future__ import annotations

from dataclasses import dataclass

from edgekit.core.mcnemar import mcnemar
from edgekit.core.metric import Metric
from edgekit.core.paired import CONFIDENCE, Losses, Pairs, judge_drop
from edgekit.core.statistics import Interval
from edgekit.core.verdict import Outcome

USUAL_MAX_DROP = 0.01
"""The margin of a metric of shares where nobody declared one: one point (edgekit-bench/1, D14)."""
_BOTH_SIDES_95 = 0.975


@dataclass(frozen=True, kw_only=True)
class PairedVerdict:
    """Non-inferiority of a second model.

    Attributes:
        metric: its name.
        n: samples.
        drop: how much worse the second model is, with its 95 % interval, in the metric's unit.
        lost, won: samples that only the first, and only the second, has right; None for a metric without right answers.
        p_value: of McNemar's test; None as they.
        max_drop: the margin, None where a metric in its own unit has none.
        confidence: one-sided, of the outcome.
        outcome: whether the drop is within the margin; None without one.
        needed: samples that would probably prove it; None where it is settled, or no number does.
        reason: one clause.
    """

    metric: str
    n: int
    drop: Interval
    lost: int | None
    won: int | None
    p_value: float | None
    max_drop: float | None
    confidence: float
    outcome: Outcome | None
    needed: int | None
    reason: str


def paired_verdict(
    losses: Losses, metric: Metric, *, max_drop: float | None = None, confidence: float = CONFIDENCE
) -> PairedVerdict:
    """Judge what was lost.

    Args:
        losses: of the second model against the first.
        metric: that they were taken by.
        max_drop: the margin; None takes `USUAL_MAX_DROP` for shares and none for anything else.
        confidence: one-sided, 0.5 to below 1.
    """
    margin = USUAL_MAX_DROP if max_drop is None and metric.is_share else max_drop
    counts = losses if isinstance(losses, Pairs) else None
    lost, won = (None, None) if counts is None else (round(counts.lost), round(counts.won))
    interval = losses.interval(confidence=_BOTH_SIDES_95)
    outcome = None if margin is None else judge_drop(losses, margin, confidence=confidence)
    is_open = outcome is Outcome.INCONCLUSIVE and margin is not None
    needed = losses.samples_needed(margin, confidence=confidence) if is_open and margin is not None else None
    return PairedVerdict(
        metric=metric.name,
        n=round(losses.n),
        drop=Interval(value=losses.drop, low=interval.low, high=interval.high),
        lost=lost,
        won=won,
        p_value=None if lost is None or won is None else mcnemar(lost, won),
        max_drop=margin,
        confidence=confidence,
        outcome=outcome,
        needed=needed,
        reason=_reason(losses, metric, margin, confidence, needed if is_open else 0),
    )


def _reason(losses: Losses, metric: Metric, margin: float | None, confidence: float, needed: int | None) -> str:
    """One clause; `needed` is 0 where nothing is open."""
    bound = losses.interval(confidence=confidence).high
    said = (
        f"{metric.word} lost {losses.amount(losses.drop)}, at most {losses.amount(bound)} at {confidence:.0%} "
        f"confidence on {losses.n:,.0f} samples"
    )
    if margin is None:
        return f"{said}; no largest drop was declared"
    said = f"{said}, of {losses.amount(margin)} that may be lost"
    if needed == 0:
        return said
    return f"{said}; " + ("no number of samples settles it" if needed is None else f"needs n >= {needed:,}")
