"""Which channels may go: never those of inputs, outputs and layers that no rule covers."""

from __future__ import annotations

import numpy as np

from edgekit.core.isolation import Isolate
from edgekit.passes._keras.slim.channels import Channels
from tests.models.fixtures import isolate
from tests.unit.passes.slim import topologies

__all__ = ["isolate"]


def look(isolate: Isolate, name: str) -> dict[str, object]:
    found: dict[str, object] = isolate.call(f"{topologies.__file__}:look", {"name": name}, what="looking")
    return found


def test_layer_that_no_rule_covers_keeps_what_touches_it_and_is_named(isolate: Isolate) -> None:
    found = look(isolate, "recurrent")

    assert found["groups"] == {"before": 8, "b": 5}
    assert found["unknown"] == ["memory (LSTM)"]


def test_settings_that_mix_channels_are_unknown_and_softmax_keeps_its_own(isolate: Isolate) -> None:
    found = look(isolate, "frozen")

    assert found["unknown"] == ["grouped (Conv2D)", "turned (Permute)", "rows (BatchNormalization)"]
    assert found["groups"] == {"b": 6}


def test_outputs_alone_make_no_group(isolate: Isolate) -> None:
    assert look(isolate, "only_outputs")["groups"] == {}


def test_macs_are_unknown_where_a_shape_is_open(isolate: Isolate) -> None:
    found = look(isolate, "open_shape")

    assert found["groups"] == {"a": 8}
    assert found["macs"] is None


def test_macs_are_those_of_the_formula(isolate: Isolate) -> None:
    found = look(isolate, "depthwise")

    stem, filtered, pointwise = 36 * 27 * 8, 16 * 9 * 16, 16 * 16 * 12
    separable = 4 * 9 * 24 + 4 * 24 * 10
    assert found["macs"] == stem + filtered + pointwise + separable + 10 * 3


def test_joined_channels_share_a_number_and_their_frost() -> None:
    channels = Channels()
    left, right, other = channels.fresh(2), channels.fresh(2), channels.fresh(1)

    channels.freeze(left[:1])
    channels.join(left, right)
    channels.join(right[1:], other)

    assert channels.resolve(np.concatenate([left, right, other])).tolist() == [0, 1, 0, 1, 1]
    assert channels.frozen() == {0}
    assert len(channels) == 5
