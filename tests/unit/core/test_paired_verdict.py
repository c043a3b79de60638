"""What was lost on the same samples: counts, test and margin in one value."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.core.bootstrap import Replicates, Resampled
from edgekit.core.mcnemar import mcnemar
from edgekit.core.metric import TOP_1, Metric
from edgekit.core.paired import Pairs, samples_needed
from edgekit.core.paired_verdict import USUAL_MAX_DROP, paired_verdict
from edgekit.core.verdict import Outcome


def test_loss_within_the_usual_margin_passes_on_enough_samples():
    found = paired_verdict(Pairs(both=9700, lost=60, won=50, neither=190), TOP_1)

    assert (found.max_drop, found.outcome, found.needed) == (USUAL_MAX_DROP, Outcome.PASS, None)
    assert (found.lost, found.won, found.p_value) == (60, 50, mcnemar(60, 50))
    assert found.drop.value == pytest.approx(0.001)
    assert found.drop.low < 0 < found.drop.high < 0.01


def test_same_shares_of_fewer_samples_are_open_and_tell_how_many_would_do():
    counts = Pairs(both=97, lost=1, won=1, neither=1)

    found = paired_verdict(counts, TOP_1, max_drop=0.01)

    assert found.outcome is Outcome.INCONCLUSIVE
    assert found.needed == samples_needed(counts, 0.01)
    assert found.needed is not None
    assert f"needs n >= {found.needed:,}" in found.reason


def test_drop_beyond_the_margin_fails_whatever_its_size():
    found = paired_verdict(Pairs(both=90, lost=8, won=0, neither=2), TOP_1, max_drop=0.05)

    assert (found.outcome, found.needed) == (Outcome.FAIL, None)
    assert "lost 8.00 points" in found.reason


def error(value: float, other: float) -> Resampled:
    def one(centre: float) -> Replicates:
        return Replicates(
            value=centre, values=np.linspace(0.9, 1.1, 2000) * centre, n=1000, lower_is_better=True, is_share=False
        )

    return Resampled(first=one(value), second=one(other))


def test_error_in_its_own_unit_has_no_margin_unless_one_is_declared():
    losses = error(2.0, 2.2)

    open_ended = paired_verdict(losses, Metric(name="mae"))
    declared = paired_verdict(losses, Metric(name="mae"), max_drop=1.0)

    assert (open_ended.max_drop, open_ended.outcome, open_ended.p_value) == (None, None, None)
    assert "no largest drop was declared" in open_ended.reason
    assert (declared.outcome, declared.drop.value) == (Outcome.PASS, pytest.approx(0.2))
