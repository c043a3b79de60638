"""Answers that are kept: a bit a sample, and read again as they were."""

from __future__ import annotations

import json

import numpy as np
import pytest

from edgekit.core.answers import Answers
from edgekit.core.bootstrap import RESAMPLES, Replicates
from edgekit.core.paired import Pairs


@pytest.mark.parametrize("n", [1, 7, 8, 9, 1000])
def test_right_answers_come_back_bit_for_bit(n: int) -> None:
    right = np.random.default_rng(n).random(n) < 0.9
    kept = Answers(metric="top1", dataset_digest="d" * 64, right=right).as_json()

    found = Answers.from_json(json.loads(json.dumps(kept)))

    assert found.right is not None
    assert (found.right == right).all()
    assert found.n == n
    assert found.value == right.mean()
    assert len(kept["right"]) <= n / 6 + 4  # a bit each, and base64


def test_resamples_come_back_as_the_same_numbers() -> None:
    values = np.random.default_rng(0).random(RESAMPLES)
    found = Replicates(value=0.5, values=values, n=30, lower_is_better=True, is_share=False)
    kept = json.loads(json.dumps(Answers(metric="mae", dataset_digest="d" * 64, replicates=found).as_json()))

    again = Answers.from_json(kept)

    assert again.replicates is not None
    assert (again.replicates.values == values).all()
    assert (again.value, again.n, again.lower_is_better) == (0.5, 30, True)


def test_losses_are_counted_sample_by_sample() -> None:
    first, second = (
        Answers(metric="top1", dataset_digest="d" * 64, right=np.array(right, bool))
        for right in ([1, 1, 0, 0, 1], [1, 0, 1, 0, 1])
    )

    assert first.losses(second) == Pairs(both=2, lost=1, won=1, neither=1)


@pytest.mark.parametrize(
    "change", [{"n": 99}, {"n": 0}, {"right": "not base64!"}, {"n": "many"}, {"right": ""}, {"right": None}]
)
def test_damaged_answers_are_refused(change: dict[str, object]) -> None:
    kept = Answers(metric="top1", dataset_digest="d" * 64, right=np.ones(8, bool)).as_json()

    with pytest.raises((ValueError, TypeError)):
        Answers.from_json(kept | change)
