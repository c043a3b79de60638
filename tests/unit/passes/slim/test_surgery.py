"""Channels that contribute nothing are removed and nothing changes: through every topology."""

from __future__ import annotations

import pytest

from edgekit.core.isolation import Isolate
from tests.models.fixtures import isolate
from tests.unit.passes.slim import topologies

__all__ = ["isolate"]
TOPOLOGIES = [
    *("chain", "sequential", "one_dimension", "residual", "concatenated", "depthwise", "reshaped", "squeezed"),
    *("operators", "shared", "nested"),
]


@pytest.mark.parametrize("name", TOPOLOGIES)
def test_removing_channels_that_contribute_nothing_keeps_the_answers(name: str, isolate: Isolate) -> None:
    found = isolate.call(f"{topologies.__file__}:zero_and_cut", {"name": name}, what="slimming")

    assert found["right_channels"], "the channels without weights have the lowest scores"
    assert found["spread"] > 1e-3, "a model that answers always the same proves nothing"
    assert found["difference"] < 1e-5 * max(1.0, found["spread"])
    assert found["names"]
    assert found["macs"][0] == found["macs"][1]
    assert found["parameters"][1] < found["parameters"][0]
    tied = {name for group in found["groups"] for name in group}
    for layer, width in found["widths"].items():
        assert found["widths_after"][layer] == (width - width // 2 if layer in tied else width)
    assert "out" not in tied


def test_residual_layers_lose_the_same_channels(isolate: Isolate) -> None:
    found = isolate.call(f"{topologies.__file__}:look", {"name": "residual"}, what="looking")

    assert found["groups"] == {"stem+b": 8, "a": 8, "c": 16, "d+shortcut": 16}


def test_concatenated_layers_are_tied_piece_by_piece(isolate: Isolate) -> None:
    found = isolate.call(f"{topologies.__file__}:look", {"name": "concatenated"}, what="looking")

    assert found["groups"] == {"a+c+d": 4, "b+c+d": 6}


def test_units_that_are_reshaped_into_an_image_are_tied_by_channel(isolate: Isolate) -> None:
    found = isolate.call(f"{topologies.__file__}:look", {"name": "reshaped"}, what="looking")

    assert found["groups"] == {"a": 6, "b": 4, "c": 6, "d": 8}


def test_layer_that_is_called_twice_ties_what_it_reads(isolate: Isolate) -> None:
    found = isolate.call(f"{topologies.__file__}:look", {"name": "shared"}, what="looking")

    assert found["groups"] == {"a+b": 6, "twice": 8, "c+d": 4}


def test_layer_normalization_shrinks_with_its_input(isolate: Isolate) -> None:
    found = isolate.call(f"{topologies.__file__}:zero_and_cut", {"name": "normalized"}, what="slimming")

    assert found["widths_after"] == {"a": 4, "out": 3}
    assert found["parameters"] == [8 * 7 + 2 * 8 + 3 * 9, 4 * 7 + 2 * 4 + 3 * 5]


def test_nested_model_is_laid_out_flat_and_answers_the_same(isolate: Isolate) -> None:
    found = isolate.call(f"{topologies.__file__}:flatten_and_compare", {"name": "nested"}, what="flattening")

    assert found["difference"] < 1e-6
    assert found["difference_in_training"] < 1e-5, "training=False of the base was lost"
    assert {"a", "base_a", "hidden", "norm", "norm2"} <= set(found["layers"])


def test_model_without_models_inside_stays_itself(isolate: Isolate) -> None:
    found = isolate.call(f"{topologies.__file__}:flatten_and_compare", {"name": "residual"}, what="flattening")

    assert found["same"]
