"""What the kernels for the DSP extension are proven to compute, and what they leave to the portable ones."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.mcu.fixed_point import multiply
from edgekit.mcu.ops._dsp.packing import RECTIFIED, Dense, Proven, pack, prove


def _dense(
    weights: object, *, bias: object = 0, multiplier: int = 2**30 + 7, shift: int = -6, zero_point: int = 3
) -> Dense:
    array = np.array(weights, np.int8)
    every = np.zeros(len(array), np.int32)
    return Dense(
        weights=array,
        bias=every + np.array(bias, np.int32),
        multipliers=every + np.int32(multiplier),
        shifts=every + np.int32(shift),
        zero_point=zero_point,
    )


def _expected(dense: Dense, o: int, total: int) -> int:
    scaled = multiply(total, int(dense.multipliers[o]), int(dense.shifts[o]))
    return min(max(scaled + dense.zero_point, -128), 127)


def _of_gemm(proven: Proven, o: int, total: int, *, rectified: bool) -> int:
    """SMMLAR, the sign, ASR, SSAT."""
    multiplier, half, exponent = (int(value) for value in proven.scales[o])
    scaled = (half << 32) + 2 * total * multiplier + 2**31 >> 32
    return min(max(scaled - (total < 0 and not rectified) >> exponent, -128), 127)


@pytest.mark.parametrize("seed", range(30))
def test_arithmetic_of_the_kernels_is_that_of_the_reference(seed: int) -> None:
    rng = np.random.default_rng(seed)
    zero_point = int(rng.choice([RECTIFIED, rng.integers(-128, 128)]))
    dense = _dense(
        rng.integers(-127, 128, (4, 40)),
        bias=rng.integers(-(2**16), 2**16, 4),
        multiplier=int(rng.choice([2**30, 2**31 - 1, rng.integers(2**30, 2**31)])),
        shift=-int(rng.integers(1, 13)),
        zero_point=zero_point,
    )
    proven = prove(dense)
    assert proven is not None
    low, high = proven.sums

    for o in range(4):
        near_ties = [n << -int(dense.shifts[o]) >> 1 for n in range(-40, 40)]
        totals = [*rng.integers(low[o], high[o], 200), *near_ties, -1, 0, 1, low[o], high[o]]
        for total in (int(total) for total in totals):
            got = _of_gemm(proven, o, total, rectified=zero_point == RECTIFIED)
            assert got == _expected(dense, o, total), (total, dense)


@pytest.mark.parametrize("shift", [-25, -27, -29, -31, 0])
@pytest.mark.parametrize("bias", [2**30 + 100, -(2**30)])
@pytest.mark.parametrize("zero_point", [RECTIFIED, 0, 127])
def test_switched_off_outputs_keep_their_value_or_their_step(shift: int, bias: int, zero_point: int) -> None:
    multiplier = 0 if shift == 0 else 2**30 + 12345
    dense = _dense(np.tile([5, -7, 0, 9], (4, 1)), bias=bias, multiplier=multiplier, shift=shift, zero_point=zero_point)
    proven = prove(dense)
    assert proven is not None
    assert proven.is_step.all()

    for inputs in np.random.default_rng(0).integers(-128, 128, (200, 4)):
        total = int(inputs @ dense.weights[0]) + bias
        own = int(inputs @ proven.weights[0] + proven.bias[0])
        assert _of_gemm(proven, 0, own, rectified=zero_point == RECTIFIED) == _expected(dense, 0, total)


def test_step_of_a_switched_off_output_is_where_the_reference_has_it() -> None:
    scale = (2**30 + 12345) / 2**31 / 2**25
    step = int(10.5 / scale)
    dense = _dense(np.tile([90, -70, 30, 1], (4, 1)), bias=step, multiplier=2**30 + 12345, shift=-25, zero_point=-20)
    proven = prove(dense)
    assert proven is not None

    seen = set()
    for inputs in np.random.default_rng(0).integers(-128, 128, (500, 4)):
        expected = _expected(dense, 0, int(inputs @ dense.weights[0]) + step)
        seen.add(expected)
        own = int(inputs @ proven.weights[0] + proven.bias[0])
        assert _of_gemm(proven, 0, own, rectified=False) == expected
    assert len(seen) == 2


def test_weights_whose_pair_leaves_16_bits_are_left_to_the_portable_kernel() -> None:
    assert pack(_dense([[1], [-128], [1], [1]])) is not None
    assert pack(_dense([[-1], [-128], [1], [1]])) is None


def test_odd_sums_of_more_than_24_bits_are_left_to_the_portable_kernel() -> None:
    long, short = np.full(600, 127), np.ones(600)

    assert pack(_dense([long, short, long, short], shift=-12)) is not None
    assert pack(_dense([short, long, short, short], shift=-12)) is None
    assert pack(_dense([short, -long, short, short], shift=-12)) is None


@pytest.mark.parametrize(("bias", "shift"), [(0, 0), (0, 2), (-(2**30), -22)])
def test_factors_and_sums_that_are_not_proven_are_left_to_the_portable_kernel(bias: int, shift: int) -> None:
    weights = np.full((4, 300), 127)

    assert prove(_dense(weights, shift=-6)) is not None
    assert prove(_dense(weights, bias=bias, shift=shift, zero_point=100)) is None


def test_outputs_of_a_block_are_four() -> None:
    packed = pack(_dense(np.ones((6, 5))))

    assert packed is not None
    assert len(packed) == 2 * (4 + 8 + 12)
    assert pack(_dense(np.ones((3, 8)))) is None
