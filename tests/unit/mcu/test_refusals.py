"""What the microcontroller compiler does not compute it refuses, naming the layer and the reason, with exit code 14."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgekit.core.errors import UnsupportedError
from edgekit.mcu.layer import Core
from edgekit.mcu.ops import lowerings
from tests.models.mcu_models import Op, Spec, build, constant, one, options
from tests.models.mcu_oracle import compile_model

_X = Spec(shape=(1, 4, 4, 2), scales=(0.1,), zero_points=(3,))
_Y = Spec(shape=(1, 4, 4, 3), scales=(0.2,), zero_points=(-4,))
_WEIGHTS = constant(np.ones((3, 1, 1, 2)), dtype="int8", scales=(0.01,))
_SAME = options("Conv2DOptions", padding=0, strideH=1, strideW=1, dilationHFactor=1, dilationWFactor=1)


def _refusal(model: bytes) -> UnsupportedError:
    with pytest.raises(UnsupportedError) as caught:
        compile_model(model, Core(name="host"))
    assert caught.value.exit_code == 14
    assert caught.value.hint
    return caught.value


def test_the_guide_names_every_operator() -> None:
    guide = (Path(__file__).parents[3] / "docs" / "guide" / "microcontrollers.md").read_text(encoding="utf-8")
    computed = guide.split("## What is computed")[1].split("## What is refused")[0]

    assert [name for name in lowerings() if not re.search(rf"\b{name}\b", computed)] == []


def test_a_float_layer_is_refused() -> None:
    plain = {"dtype": "float32", "scales": (), "zero_points": ()}
    weights = replace(_WEIGHTS, dtype="float32", scales=(), zero_points=(), data=_WEIGHTS.data.astype(np.float32))

    refusal = _refusal(one("CONV_2D", [replace(_X, **plain), weights], replace(_Y, **plain), _SAME))

    assert "layer 0, CONV_2D" in str(refusal)
    assert "float32 x float32 -> float32" in str(refusal)


def test_operators_without_translation_are_refused_all_at_once() -> None:
    middle = replace(_X, shape=(1, 4, 4, 2))

    refusal = _refusal(
        build([Op(name="TOPK_V2", inputs=[_X], outputs=[middle]), Op(name="UNIQUE", inputs=[middle], outputs=[_Y])])
    )

    assert "layer 0 TOPK_V2, layer 1 UNIQUE" in str(refusal)


def test_asymmetric_weights_of_a_convolution_are_refused() -> None:
    refusal = _refusal(one("CONV_2D", [_X, replace(_WEIGHTS, zero_points=(5,))], _Y, _SAME))

    assert "layer 0, CONV_2D" in str(refusal)
    assert "zero point" in str(refusal)


def test_weights_that_are_computed_are_refused() -> None:
    refusal = _refusal(one("CONV_2D", [_X, replace(_WEIGHTS, data=None)], _Y, _SAME))

    assert "computes its input 1" in str(refusal)


def test_an_output_that_the_padding_does_not_give_is_refused() -> None:
    refusal = _refusal(one("CONV_2D", [_X, _WEIGHTS], replace(_Y, shape=(1, 5, 4, 3)), _SAME))

    assert "[1, 4, 4, 2] into [1, 5, 4, 3]" in str(refusal)


def test_sums_that_may_overflow_are_refused() -> None:
    bias = constant(np.full(3, 2**31 - 1), dtype="int32", scales=(0.001,))

    refusal = _refusal(one("CONV_2D", [_X, _WEIGHTS, bias], _Y, _SAME))

    assert "31 bits" in str(refusal)


def test_an_unknown_activation_is_refused() -> None:
    tanh = options(
        "Conv2DOptions", strideH=1, strideW=1, dilationHFactor=1, dilationWFactor=1, fusedActivationFunction=4
    )

    refusal = _refusal(one("CONV_2D", [_X, _WEIGHTS], _Y, tanh))

    assert "activation number 4" in str(refusal)


def test_pooling_between_different_scales_is_refused() -> None:
    table = options("Pool2DOptions", padding=0, strideH=1, strideW=1, filterHeight=2, filterWidth=2)

    refusal = _refusal(one("AVERAGE_POOL_2D", [_X], replace(_X, scales=(0.3,)), table))

    assert "quantized otherwise" in str(refusal)


def test_int16_values_with_a_zero_point_are_refused() -> None:
    given, made = (replace(spec, dtype="int16") for spec in (_X, _Y))

    refusal = _refusal(one("CONV_2D", [given, _WEIGHTS], made, _SAME))

    assert "int16" in str(refusal)


def test_a_mirror_larger_than_the_image_is_refused() -> None:
    amounts = constant([[0, 0], [4, 0], [0, 0], [0, 0]], dtype="int32")
    made = replace(_X, shape=(1, 8, 4, 2))

    refusal = _refusal(one("MIRROR_PAD", [_X, amounts], made, options("MirrorPadOptions", mode=0)))

    assert "more than there is" in str(refusal)


def test_a_dynamic_batch_is_one_image() -> None:
    model = one("CONV_2D", [replace(_X, signature=(-1, 4, 4, 2)), _WEIGHTS], _Y, _SAME)

    library = compile_model(model, Core(name="host"))

    assert library.network.inputs[0].shape == (1, 4, 4, 2)


@pytest.mark.parametrize("height", [0, 1])
def test_an_axis_other_than_the_batch_that_is_open_is_refused(height: int) -> None:
    """Converters write 0 or 1 for an axis that the caller decides."""
    model = one("CONV_2D", [replace(_X, shape=(1, height, 4, 2), signature=(1, -1, 4, 2)), _WEIGHTS], _Y, _SAME)

    assert "[1, -1, 4, 2]" in str(_refusal(model))
