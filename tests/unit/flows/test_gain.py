"""The line that says what a step gained: bytes as counted, speed as derived, and a plain word for nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgekit.config.targets import load_target
from edgekit.core.paired import Pairs
from edgekit.core.recipe import StepMetrics
from edgekit.core.target import Runtime, Target
from edgekit.flows.gain import Weighed, gain

FLOAT = Weighed(
    metrics=StepMetrics(
        size_bytes=60_000,
        zip_bytes=50_000,
        gzip_bytes=50_020,
        parameters=14_000,
        sparsity=0.0,
        unique_weights=9_000,
        macs=1_000_000,
        activation_bytes=40_000,
    ),
    mac_dtypes={"float32": 1_000_000},
)


@pytest.fixture
def target() -> Target:
    return load_target("rpi4")


def after(mac_dtypes: dict[str, int] | None = None, **changes: float) -> Weighed:
    return Weighed(
        metrics=replace(FLOAT.metrics, **changes),
        mac_dtypes=FLOAT.mac_dtypes if mac_dtypes is None else mac_dtypes,
    )


def test_step_that_changes_nothing_is_to_be_left_out(target):
    assert gain(FLOAT, after(), target) == "gained nothing on rpi4: leave it out"


def test_conversion_cannot_be_left_out(target):
    assert gain(FLOAT, after(), target, converts=True).startswith("a conversion, no more")


def test_change_below_one_percent_is_none(target):
    assert gain(FLOAT, after(size_bytes=59_700, zip_bytes=49_900), target).startswith("gained nothing")


def test_pruning_is_smaller_only_when_zipped(target):
    line = gain(FLOAT, after(zip_bytes=20_000, sparsity=0.8), target)

    assert "transfer 2.5x smaller (50,000 to 20,000 B zipped)" in line
    assert "smaller only when zipped, not faster" in line
    assert "80% zeros" in line
    assert "file" not in line


def test_zeros_that_do_not_even_shrink_the_transfer_gain_nothing(target):
    assert gain(FLOAT, after(sparsity=0.1), target).startswith("gained nothing")


def test_clusters_are_named_by_their_number(target):
    line = gain(FLOAT, after(zip_bytes=15_000, unique_weights=16), target)

    assert "16 different values a tensor" in line


def test_int8_is_faster_only_where_the_target_has_kernels(target):
    eight_bits = after({"int8": 1_000_000}, size_bytes=16_000, zip_bytes=14_000, unique_weights=255)
    runtime = Runtime(name="litert", formats=frozenset({"tflite"}), dtypes=frozenset({"float32"}))

    with_kernels = gain(FLOAT, eight_bits, target)
    without = gain(FLOAT, eight_bits, replace(target, runtimes={"litert": runtime}))

    assert "100% of the multiply-accumulates in int8" in with_kernels
    assert "measure it with edgekit profile" in with_kernels
    assert "multiply-accumulates" not in without
    assert "smaller only when zipped" not in with_kernels


def test_slimming_is_faster_and_leaner(target):
    line = gain(FLOAT, after({"float32": 500_000}, macs=500_000, activation_bytes=20_000, size_bytes=30_000), target)

    assert "2.0x fewer multiply-accumulates, so faster" in line
    assert "leaner" in line


def test_larger_file_is_told_even_when_something_was_gained(target):
    line = gain(FLOAT, after(size_bytes=80_000, zip_bytes=30_000), target)

    assert "transfer" in line
    assert "the file is larger (60,000 to 80,000 B)" in line


def test_accuracy_counts_only_when_it_is_proven(target):
    proven = gain(FLOAT, after(), target, answers=Pairs(both=900, lost=2, won=60, neither=38))
    noise = gain(FLOAT, after(), target, answers=Pairs(both=950, lost=10, won=12, neither=28))

    assert "more accurate by 5.80 points" in proven
    assert noise.startswith("gained nothing")
