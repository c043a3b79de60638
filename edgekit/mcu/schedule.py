"""From a network to layers and the memory they need: what is translated, what lives when, what shares storage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgekit.core.errors import UnsupportedError
from edgekit.mcu.ir import Network, Value
from edgekit.mcu.layer import Core, Layer, View
from edgekit.mcu.ops import lowerings
from edgekit.mcu.plan import Block, May, Plan, plan

_FIRST_CALL_ONLY = {"CALL_ONCE", "VAR_HANDLE"}


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """The layers in their order, and where each value lies.

    Attributes:
        layers: one kernel call each.
        plan: offsets of `blocks`.
        blocks: inputs, outputs, intermediate values, state, scratch.
        value_block: value index to the block that holds it.
        scratch_block: layer number to its scratch, where it has one.
    """

    layers: tuple[Layer, ...]
    plan: Plan
    blocks: tuple[Block, ...]
    value_block: dict[int, int]
    scratch_block: dict[int, int]

    def offset(self, value: Value) -> int:
        """Where a value begins in the arena, bytes."""
        return self.plan.offsets[self.value_block[value.index]]


def lower(network: Network, core: Core) -> list[Layer | View]:
    """Translate every node, or refuse; all that is not supported is named at once.

    Raises:
        UnsupportedError: operators that have no translation, or a node that its translation refuses.
    """
    table = lowerings()
    nodes = [node for node in network.nodes if node.op not in _FIRST_CALL_ONLY]
    unknown = [node for node in nodes if node.op not in table]
    if unknown:
        named = ", ".join(f"layer {node.place} {node.op}" for node in unknown[:5])
        more = f" and {len(unknown) - 5} more" if len(unknown) > 5 else ""
        raise UnsupportedError(
            f"the microcontroller compiler does not translate {named}{more}",
            hint="a Cortex-A target runs every operator: edgekit targets",
            ops=sorted({node.op for node in unknown}),
        )
    return [lowered for node in nodes for lowered in table[node.op](node, core)]


def schedule(network: Network, core: Core) -> Schedule:
    """Translate a network and place everything in one arena.

    Raises:
        UnsupportedError: as `lower`.
    """
    lowered = lower(network, core)
    layers = tuple(item for item in lowered if isinstance(item, Layer))
    root = _storage(lowered)
    lives = _lifetimes(network, layers, root)
    blocks: list[Block] = []
    place: dict[int, int] = {}
    for index, (value, first, last) in lives.items():
        place[index] = len(blocks)
        blocks.append(Block(name=value.name, size_bytes=max(1, value.size_bytes), first=first, last=last))
    scratch: dict[int, int] = {}
    for step, layer in enumerate(layers):
        if layer.scratch_bytes:
            scratch[step] = len(blocks)
            blocks.append(Block(name=f"scratch of {layer.name}", size_bytes=layer.scratch_bytes, first=step, last=step))
    made = plan(blocks, _overlaps(layers, root, lives, place))
    value_block = {index: place[owner] for index, owner in root.items() if owner in place}
    return Schedule(
        layers=layers,
        plan=made,
        blocks=tuple(blocks),
        value_block=value_block | {index: place[index] for index in place},
        scratch_block=scratch,
    )


def _storage(lowered: Sequence[Layer | View]) -> dict[int, int]:
    """Value index to the index of the value whose memory it is."""
    root: dict[int, int] = {}
    for item in lowered:
        if isinstance(item, View):
            root[item.output.index] = root.get(item.input.index, item.input.index)
    return root


def _lifetimes(network: Network, layers: Sequence[Layer], root: dict[int, int]) -> dict[int, tuple[Value, int, int]]:
    """Owner index to (value, first step, last step) of all that lies in the arena."""
    end = max(0, len(layers) - 1)
    lives: dict[int, tuple[Value, int, int]] = {}

    def touch(value: Value, step: int) -> None:
        if value.data is not None:
            return
        owner = root.get(value.index, value.index)
        known, first, last = lives.get(owner, (value, step, step))
        lives[owner] = (known, min(first, step), max(last, step))

    for value in network.inputs:
        touch(value, 0)
    for step, layer in enumerate(layers):
        for value in (*layer.inputs, *layer.outputs):
            touch(value, step)
    for value in network.outputs:
        touch(value, end)
    for value in network.variables:
        touch(value, 0)
        touch(value, end)
    return lives


def _overlaps(
    layers: Sequence[Layer],
    root: dict[int, int],
    lives: dict[int, tuple[Value, int, int]],
    place: dict[int, int],
) -> list[May]:
    """The overlaps that layers allow, where the input dies with the layer and the output is born with it."""
    found = []
    for step, layer in enumerate(layers):
        for overlap in layer.overlaps:
            given, made = layer.inputs[overlap.input], layer.outputs[overlap.output]
            earlier, later = root.get(given.index, given.index), root.get(made.index, made.index)
            if given.data is None and lives[earlier][2] == step and lives[later][1] == step:
                found.append(May(earlier=place[earlier], later=place[later], distance=overlap.distance))
    return found
