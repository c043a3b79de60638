"""Rows of the compression benchmarks: what counts as met."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks import lenet5, spoilt
from benchmarks._compression_bench import Row
from benchmarks._smallest_bench import Found

FLOAT = Row(size_bytes=20_000, zip_bytes=18_000, correct=980, n=1000, chosen={})


@pytest.mark.parametrize(
    ("correct", "kept_weights", "met"),
    [(960, 0.2, True), (959, 0.2, False), (960, 0.21, False)],
)
def test_spoilt_is_met_within_the_budget_with_a_fifth_of_the_weights_in_float(
    correct: int, kept_weights: float, met: bool
) -> None:
    mended = replace(FLOAT, correct=correct, kept=("loud/Relu (float32)",), kept_weights=kept_weights)
    broken = spoilt.Broken(float_model=FLOAT, int8=replace(FLOAT, correct=100), mended=mended)

    *_, last = spoilt.figures(spoilt.Spoilt(networks={"spoilt": broken}))

    assert last.met is met
    assert f"{kept_weights:.1%} of the weights in float" in last.value
    assert last.note.endswith("left out of int8: loud/Relu (float32)")


@pytest.mark.parametrize(
    ("zip_bytes", "correct", "met"), [(11_500, 980, True), (11_501, 980, False), (900, 979, False)]
)
def test_lenet5_is_met_by_bytes_and_accuracy_together(zip_bytes: int, correct: int, met: bool) -> None:
    ours = replace(FLOAT, zip_bytes=zip_bytes, correct=correct, chosen={"prune.sparsity": 0.9})

    *_, last = lenet5.figures(Found(float_model=FLOAT, ours=ours, by_hand={"int8": FLOAT, "small": FLOAT}))

    assert last.met is met
    assert last.note == "chosen by the budget: prune.sparsity 0.9"
