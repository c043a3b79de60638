"""Numbers of a device: whatever JSON can write, only what a float can hold is one."""

from __future__ import annotations

import pytest

from edgekit.core.errors import ProtocolError
from edgekit.device.fields import Fields


@pytest.mark.parametrize("value", [0, 0.5, 3, 2**70, 1.7e308])
def test_number_is_a_float(value: float):
    assert Fields({"x": value}, "answer").number("x") == float(value)


@pytest.mark.parametrize("value", [10**400, float("nan"), float("inf"), -float("inf"), -1, True, "1", None])
def test_what_no_float_can_hold_is_no_number(value: object):
    with pytest.raises(ProtocolError):
        Fields({"x": value}, "answer").number("x")
