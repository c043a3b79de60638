"""Findings of a gate: checks with what they rest on, several tests taken together, and what counts of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from edgekit.core.gate import DEVICE, FailOn, Kind
from edgekit.core.measurement import Validity
from edgekit.core.rank_tests import holm
from edgekit.core.regression import ALPHA
from edgekit.core.verdict import Check, Outcome, overall

DISTURBED = frozenset({Validity.NOISY, Validity.THROTTLED, Validity.UNSTEADY, Validity.INVALID})
"""Flags of a figure that something disturbed."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One check of a gate.

    Attributes:
        kind: what the figure is held against.
        check: the figure, its limit and the outcome.
        flags: of the measurement that the figure comes from.
        p_value: of the statistical test that a failure rests on; None where the figure is exact.
    """

    kind: Kind
    check: Check
    flags: tuple[Validity, ...] = ()
    p_value: float | None = None

    @property
    def is_disturbed(self) -> bool:
        """Whether something disturbed the measurement."""
        return not DISTURBED.isdisjoint(self.flags)


def corrected(findings: Sequence[Finding], *, alpha: float = ALPHA) -> tuple[Finding, ...]:
    """Take back failures that do not stand once all tests of the gate are taken together (Holm).

    Each test alone is wrong in at most `alpha` of the gates; with several of them in one gate, one is wrong more often.

    Args:
        findings: of all devices.
        alpha: error of the whole gate.
    """
    tested = [at for at, finding in enumerate(findings) if finding.p_value is not None]
    rejected = holm([finding.p_value for finding in findings if finding.p_value is not None], alpha)
    result = list(findings)
    for at, stands in zip(tested, rejected, strict=True):
        check = result[at].check
        if check.outcome is Outcome.FAIL and not stands:
            reason = f"{check.reason}; it does not stand among {len(tested)} tests, measure again"
            result[at] = replace(result[at], check=replace(check, outcome=Outcome.INCONCLUSIVE, reason=reason))
    return tuple(result)


def counted_outcome(finding: Finding, rules: FailOn) -> Outcome | None:
    """What a finding means for the gate; None where the rules leave it out."""
    if finding.check.metric != DEVICE and not rules.covers(finding.kind, finding.check.metric):
        return None
    if rules.noisy and finding.is_disturbed:
        return Outcome.FAIL
    if rules.inconclusive and finding.check.outcome is Outcome.INCONCLUSIVE:
        return Outcome.FAIL
    return finding.check.outcome


def verdict(findings: Sequence[Finding], rules: FailOn) -> Outcome:
    """The gate's answer: fail if one finding counts as failed, else inconclusive if one is open, else pass.

    A gate that checks nothing is inconclusive: a figure that went missing must not open it.
    """
    counted = [outcome for finding in findings if (outcome := counted_outcome(finding, rules)) is not None]
    return overall(counted) if counted else Outcome.INCONCLUSIVE


def finding_document(finding: Finding, rules: FailOn) -> dict[str, Any]:
    """A finding in `edgekit gate --json`; `counts_as` is null where `--fail-on` leaves it out."""
    counted = counted_outcome(finding, rules)
    return finding.check.as_json() | {
        "kind": str(finding.kind),
        "flags": [str(flag) for flag in finding.flags],
        "p_value": finding.p_value,
        "counts_as": None if counted is None else str(counted),
    }
