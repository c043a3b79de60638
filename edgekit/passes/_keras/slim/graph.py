"""The channels of a whole model: which groups can be removed, what each weight has to do with them, what it costs.

The groups are those of dependency graphs (Fang et al. 2023, "DepGraph: Towards Any Structural Pruning",
arXiv 2301.12900): channels are followed from the layer that makes them through all layers that use them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.core.errors import UnsupportedError
from edgekit.passes._keras.slim.channels import Channels, Ids
from edgekit.passes._keras.slim.roles import Call, Cost, Outcome, Role
from edgekit.passes._keras.slim.rules import rule_of

_MAKERS = ("filters", "units")
"""Entries of a layer's config that say how many channels it makes."""


@dataclass(frozen=True, kw_only=True)
class Group:
    """Channels that the same layers make; any of them can be removed, from all these layers at once.

    Attributes:
        layers: names of the layers, in the model's order.
        channels: their numbers, ascending.
    """

    layers: tuple[str, ...]
    channels: Ids


@dataclass(frozen=True, kw_only=True)
class ChannelGraph:
    """A model's channels.

    Attributes:
        count: of numbers; a mask has shape [count], True for a channel that is kept.
        roles: layer name -> what its weights and sizes have to do with channels.
        groups: what can be removed.
        costs: of all calls.
        unknown: layers that no rule covers, as "name (Class)".
    """

    count: int
    roles: dict[str, Role]
    groups: tuple[Group, ...]
    costs: tuple[Cost, ...]
    unknown: tuple[str, ...]

    def all_kept(self) -> NDArray[np.bool_]:
        """The mask that removes nothing."""
        return np.ones(self.count, np.bool_)

    def macs(self, keep: NDArray[np.bool_]) -> int | None:
        """Multiply-accumulates of one inference with these channels, None where a shape is open.

        Convolutions and dense layers count, as in `edgekit.core.tflite.facts.multiply_accumulates`.
        """
        total = 0
        for cost in self.costs:
            if cost.each is None:
                return None
            inputs = 1 if cost.inputs is None else int(keep[cost.inputs].sum())
            total += cost.each * inputs * int(keep[cost.outputs].sum())
        return total

    def width(self, layer: str, keep: NDArray[np.bool_]) -> int | None:
        """How many channels a layer makes, None for a layer that makes none."""
        made = _made_by(self.roles[layer])
        return None if made is None else int(keep[made].sum())


def trace(model: Any) -> ChannelGraph:
    """Follow the channels through a tf_keras model.

    Raises:
        UnsupportedError: the model is no graph of layers.
    """
    import tensorflow as tf

    tracer = _Tracer()
    for node in nodes_of(model):
        tracer.visit(node)
    for tensor in tf.nest.flatten(model.outputs):
        tracer.channels.freeze(tracer.ids[id(tensor)])
    return tracer.finish([layer.name for layer in model.layers])


def nodes_of(model: Any) -> Iterator[Any]:
    """The calls of a functional or sequential model, each after those that it depends on.

    Raises:
        UnsupportedError: the model is no graph of layers.
    """
    by_depth = getattr(model, "_nodes_by_depth", None)
    if not by_depth:
        raise UnsupportedError(
            f"model {model.name!r} ({type(model).__name__}) is no graph of layers",
            hint="save it as a functional or sequential model with an input shape",
        )
    for depth in sorted(by_depth, reverse=True):
        yield from by_depth[depth]


def _made_by(role: Role) -> Ids | None:
    return next((role.sizes[name] for name in _MAKERS if name in role.sizes), None)


class _Tracer:
    def __init__(self) -> None:
        self.channels = Channels()
        self.ids: dict[int, Ids] = {}
        self._roles: dict[str, Role] = {}
        self._costs: list[Cost] = []
        self._unknown: dict[str, None] = {}

    def visit(self, node: Any) -> None:
        import tensorflow as tf

        outputs = tf.nest.flatten(node.outputs)
        outcome = None if node.is_input or len(outputs) != 1 else self._outcome(node, outputs[0])
        if outcome is None:
            self._freeze(node, outputs)
            return
        self.ids[id(outputs[0])] = outcome.outputs
        self._costs += outcome.costs
        earlier = self._roles.setdefault(node.layer.name, outcome.role)
        if earlier is not outcome.role:  # a layer that is called twice has one set of weights
            for one, other in zip(earlier.lists(), outcome.role.lists(), strict=True):
                self._tie(one, other)

    def _tie(self, one: Ids, other: Ids) -> None:
        if len(one) == len(other):
            self.channels.join(one, other)
        else:  # a Reshape to [-1] of two sizes
            self.channels.freeze(one)
            self.channels.freeze(other)

    def finish(self, order: list[str]) -> ChannelGraph:
        roles = {name: self._roles.get(name, Role()).each(self.channels.resolve) for name in order}
        costs = [
            Cost(
                each=cost.each,
                inputs=None if cost.inputs is None else self.channels.resolve(cost.inputs),
                outputs=self.channels.resolve(cost.outputs),
            )
            for cost in self._costs
        ]
        return ChannelGraph(
            count=len(self.channels),
            roles=roles,
            groups=_groups(roles, self.channels.frozen()),
            costs=tuple(costs),
            unknown=tuple(self._unknown),
        )

    def _outcome(self, node: Any, output: Any) -> Outcome | None:
        import tensorflow as tf

        rule = rule_of(node.layer)
        inputs = tuple(self.ids[id(tensor)] for tensor in node.keras_inputs)
        if rule is None or any(len(ids) == 0 for ids in inputs):
            return None
        known = {id(tensor) for tensor in node.keras_inputs}
        given = tf.nest.flatten((node.call_args, node.call_kwargs))
        return rule(
            Call(
                layer=node.layer,
                inputs=inputs,
                shapes=tuple(tuple(tensor.shape) for tensor in node.keras_inputs),
                output=tuple(output.shape),
                constants=tuple(value for value in given if id(value) not in known),
                channels=self.channels,
            )
        )

    def _freeze(self, node: Any, outputs: list[Any]) -> None:
        """Keep all that goes in and comes out; an axis of unknown size has no channels to tell apart."""
        for tensor in node.keras_inputs:
            if id(tensor) in self.ids:
                self.channels.freeze(self.ids[id(tensor)])
        for tensor in outputs:
            size = tensor.shape[-1] if len(tensor.shape) > 1 else None
            self.ids[id(tensor)] = self.channels.fresh(size or 0)
            self.channels.freeze(self.ids[id(tensor)])
        if not node.is_input:
            self._unknown[f"{node.layer.name} ({type(node.layer).__name__})"] = None


def _groups(roles: dict[str, Role], frozen: set[int]) -> tuple[Group, ...]:
    """Channels by the layers that make them."""
    makers: dict[int, list[str]] = {}
    for name, role in roles.items():
        made = _made_by(role)
        for channel in () if made is None else np.unique(made).tolist():
            makers.setdefault(channel, []).append(name)
    members: dict[tuple[str, ...], list[int]] = {}
    for channel, names in makers.items():
        if channel not in frozen:
            members.setdefault(tuple(names), []).append(channel)
    return tuple(
        Group(layers=names, channels=np.array(sorted(channels), np.int64)) for names, channels in members.items()
    )
