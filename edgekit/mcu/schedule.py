"""From a network to layers and the memory they need: what is translated, what lives when, what shares storage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edgekit.core.errors import UnsupportedError
from edgekit.mcu.fuse import fuse
from edgekit.mcu.ir import Network, Value
from edgekit.mcu.layer import Core, Layer, View
from edgekit.mcu.ops import lowerings
from edgekit.mcu.order import reorder
from edgekit.mcu.plan import Block, Plan, plan
from edgekit.mcu.snapshots import settle
from edgekit.mcu.storage import Storage, memory, resolve, share_in_place


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
    value_block: Mapping[int, int]
    scratch_block: Mapping[int, int]

    def offset(self, value: Value) -> int:
        """Where a value begins in the arena, bytes."""
        return self.plan.offsets[self.value_block[value.index]]


def lower(network: Network, core: Core) -> list[Layer | View]:
    """Translate every node, or refuse; all that is not supported is named at once.

    Raises:
        UnsupportedError: operators that have no translation, or a node that its translation refuses.
    """
    table = lowerings()
    unknown = [node for node in network.nodes if node.op not in table]
    if unknown:
        named = ", ".join(f"layer {node.place} {node.op}" for node in unknown[:5])
        more = f" and {len(unknown) - 5} more" if len(unknown) > 5 else ""
        raise UnsupportedError(
            f"the microcontroller compiler does not translate {named}{more}",
            hint="a Cortex-A target runs every operator: edgekit targets",
            ops=sorted({node.op for node in unknown}),
        )
    return [lowered for node in network.nodes for lowered in table[node.op](node, core)]


def schedule(network: Network, core: Core) -> Schedule:
    """Translate a network and place everything in one arena.

    Layers keep the file's order unless another one needs a smaller arena. With `optimize` "ram", layers run row by row
    where that makes it smaller.

    Raises:
        UnsupportedError: as `lower`.
    """
    layers, storage = resolve(network, settle(network, lower(network, core)))
    made = _place(layers, storage)
    if core.optimize == "ram" and (fused := fuse(layers, storage)) != layers:
        made = min(made, _place(fused, storage), key=lambda one: one.plan.size_bytes)
    return made


def _place(layers: Sequence[Layer], storage: Storage) -> Schedule:
    """The better of the given order and another one, with layers in place unless they force values far apart."""
    shared = share_in_place(layers, storage)
    made = _place_in_order(layers, shared)
    if (moved := reorder(layers, shared)) != layers:
        made = min(made, _place_in_order(moved, shared), key=lambda one: one.plan.size_bytes)
    apart: set[int] = set()
    for layer in made.layers:
        if made.plan.size_bytes == max(made.plan.step_bytes):
            break
        if layer.in_place:
            alone = apart | {layer.outputs[0].index}
            tried = _place_in_order(made.layers, share_in_place(made.layers, storage, alone))
            if tried.plan.size_bytes < made.plan.size_bytes:
                made, apart = tried, alone
    return made


def _place_in_order(layers: Sequence[Layer], storage: Storage) -> Schedule:
    needed = memory(layers, storage)
    owners = needed.value_block
    views = {index: owners[owner] for index, owner in storage.root.items() if owner in owners}
    return Schedule(
        layers=tuple(layers),
        plan=plan(needed.blocks, needed.overlaps),
        blocks=needed.blocks,
        value_block={**views, **owners},
        scratch_block=needed.scratch_block,
    )
