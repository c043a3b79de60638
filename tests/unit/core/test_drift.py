"""How far the values of one tensor are apart on two machines."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.core.artifact import TensorSpec
from edgekit.core.drift import tensor_drift

INT8 = TensorSpec(name="y", shape=(1, 3), dtype="int8", scale=0.5, zero_point=-3)
FLOAT = TensorSpec(name="y", shape=(1, 3), dtype="float32")


def test_quantized_values_differ_by_steps_and_in_real_units():
    ours = np.array([[1, 2, 3], [-128, 0, 127], [5, 6, 7]], np.int8)
    theirs = np.array([[1, 2, 3], [127, 0, 127], [5, 7, 6]], np.int8)

    found = tensor_drift(ours, theirs, INT8, classifier=True)

    assert (found.samples, found.values, found.identical, found.differing_values) == (3, 9, 1, 3)
    assert (found.max_lsb, found.max_abs) == (255, 127.5)
    assert found.agreeing == 1  # the second now has two highest scores, the lower class is taken


def test_floats_differ_by_one_bit_and_have_no_steps():
    ours = np.array([[1.0, 2.0, 3.0]], np.float32)
    theirs = ours.copy()
    theirs[0, 1] = np.nextafter(np.float32(2), np.float32(3))

    found = tensor_drift(ours, theirs, FLOAT)

    assert (found.identical, found.differing_values, found.max_lsb, found.agreeing) == (0, 1, None, None)
    assert found.max_abs == pytest.approx(2.4e-7, rel=0.1)


def test_same_nan_is_no_difference_and_another_one_has_no_size():
    ours = np.array([[np.nan, np.inf, 3.0]], np.float32)
    theirs = np.array([[np.nan, 1.0, 3.0]], np.float32)

    found = tensor_drift(ours, theirs, FLOAT)

    assert (found.differing_values, found.max_abs) == (1, 0.0)
