"""A Keras 3 model rebuilt in tf_keras answers as before, keeps its names, and suits the optimization toolkit."""

from __future__ import annotations

import pytest

from edgekit.core.errors import InputError, UnsupportedError
from tests.unit.passes.keras import refused, zoo

ZOO, REFUSED = f"{zoo.__file__}:", f"{refused.__file__}:"


@pytest.mark.parametrize("name", sorted(zoo.MODELS))
def test_rebuilt_model_answers_as_the_original(name, isolate):
    found = isolate.call(f"{ZOO}compare", {"name": name}, what="rebuilding")

    assert found["difference"] < 1e-5
    assert found["difference_after_a_file"] < 1e-5
    assert found["largest"] > 0.1  # else equal outputs say nothing
    was_sequential, is_sequential = found["sequential"]
    assert is_sequential == was_sequential
    before, after = found["names"]
    assert [each for each in after if each in before] == before


@pytest.mark.parametrize("name", ["sequential", "residual"])
def test_optimization_toolkit_takes_the_rebuilt_model(name, isolate):
    found = isolate.call(f"{ZOO}accepted", {"name": name}, what="wrapping")

    assert "PruneLowMagnitude" in found["pruned"]
    assert "QuantizeWrapperV2" in found["quantized"]


@pytest.mark.parametrize("name", sorted(refused.MODELS))
def test_model_that_cannot_be_rebuilt_is_refused_by_name_with_a_way_out(name, isolate):
    _, says = refused.MODELS[name]

    with pytest.raises(UnsupportedError) as caught:
        isolate.call(f"{REFUSED}rebuild_refused", {"name": name}, what="rebuilding")

    assert all(each in caught.value.message for each in says)
    assert "--recipe int8" in (caught.value.hint or "")


@pytest.mark.parametrize("name", ["sequential", "residual", "nested"])
def test_first_layer_that_answers_otherwise_is_named(name, isolate):
    broken = {"sequential": "conv2d", "residual": "depthwise_conv2d", "nested": "head"}[name]

    with pytest.raises(UnsupportedError, match=f"first after layer '{broken}'"):
        isolate.call(f"{REFUSED}rebuild_badly", {"name": name, "layer": broken}, what="rebuilding")


@pytest.mark.parametrize(
    ("shapes", "says"), [([[4, 5]], r"\(5,\)"), ([[4, 8, 8, 1]] * 2, "8, 8, 1"), ([[0, 8, 8, 1]], "no samples")]
)
def test_samples_of_another_shape_are_an_input_error(shapes, says, isolate):
    with pytest.raises(InputError, match=says):
        isolate.call(f"{REFUSED}rebuild_with", {"shapes": shapes}, what="rebuilding")


def test_frozen_layers_stay_frozen(isolate):
    found = isolate.call(f"{REFUSED}trainable", {}, what="rebuilding")

    assert found == {"pair": False, "dense_1": True}
