"""Rows of the ResNet8 benchmark: which float model the pruned one is held against."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks import resnet8
from benchmarks._compression_bench import Row

FLOAT = Row(size_bytes=20_000, zip_bytes=18_000, correct=800, n=1000, chosen={})
INT8 = replace(FLOAT, zip_bytes=10_000)
NAMES = ("int8", "tuned", "tuned_augmented", "tuned_longer", "pruned_int8", "small")


@pytest.mark.parametrize("best", ["tuned", "tuned_augmented", "tuned_longer", "taught"])
@pytest.mark.parametrize(
    ("zip_bytes", "correct", "met"), [(6_300, 810, True), (6_301, 810, False), (6_300, 809, False)]
)
def test_pruned_resnet8_is_held_against_the_best_of_the_fine_tuned_float_models(
    best: str, zip_bytes: int, correct: int, met: bool
) -> None:
    by_hand = {name: replace(FLOAT, correct=820 if name == best else 800) for name in NAMES}
    taught = replace(FLOAT, correct=820 if best == "taught" else 800)
    sparse = replace(FLOAT, zip_bytes=zip_bytes, correct=correct)

    *_, last = resnet8.figures(
        resnet8.ResNet8(float_model=FLOAT, int8=INT8, taught=taught, sparse=sparse, by_hand=by_hand)
    )

    assert last.met is met
