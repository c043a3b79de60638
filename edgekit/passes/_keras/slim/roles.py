"""What a rule is told of a layer's call, and what it answers: the weights' role, the cost, what comes out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from edgekit.passes._keras.slim.channels import Channels, Ids

Shape = tuple[int | None, ...]


@dataclass(frozen=True, kw_only=True)
class Call:
    """One call of a layer.

    Attributes:
        layer: of tf_keras.
        inputs: channels of each input tensor, on its last axis.
        shapes: of the input tensors, the batch first; None for an open axis.
        output: shape of the only output.
        constants: what else the call was given.
        channels: to make, join and freeze channels with.
    """

    layer: Any
    inputs: tuple[Ids, ...]
    shapes: tuple[Shape, ...]
    output: Shape
    constants: tuple[Any, ...]
    channels: Channels


@dataclass(frozen=True, kw_only=True)
class Role:
    """What a layer's weights and sizes have to do with channels.

    Attributes:
        slices: variable of the layer -> its axis -> the channels along that axis.
        sizes: entry of the layer's config -> the channels that it counts.
        filters: variables and axes whose slices are the weights that make, or filter, one channel.
        readers: variables and axes whose slices are the weights that one channel is summed up with.
    """

    slices: dict[str, dict[int, Ids]] = field(default_factory=dict)
    sizes: dict[str, Ids] = field(default_factory=dict)
    filters: tuple[tuple[str, int], ...] = ()
    readers: tuple[tuple[str, int], ...] = ()

    def each(self, change: Callable[[Ids], Ids]) -> Role:
        """The same role with every list of channels changed."""
        slices = {name: {axis: change(ids) for axis, ids in by_axis.items()} for name, by_axis in self.slices.items()}
        return replace(self, slices=slices, sizes={name: change(ids) for name, ids in self.sizes.items()})

    def lists(self) -> list[Ids]:
        """All lists of channels, in the order of their making."""
        return [*(ids for by_axis in self.slices.values() for ids in by_axis.values()), *self.sizes.values()]


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Multiply-accumulates of one call: `each` times channels in times channels out.

    Attributes:
        each: positions times kernel taps; None where a shape is open.
        inputs: channels that each output channel sums over; None for one, as in a depthwise convolution.
        outputs: channels that come out.
    """

    each: int | None
    inputs: Ids | None
    outputs: Ids


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a call does with channels.

    Attributes:
        outputs: channels of the output's last axis.
        role: of the layer.
        costs: of the call.
    """

    outputs: Ids
    role: Role = field(default_factory=Role)
    costs: tuple[Cost, ...] = ()
