"""Which memory a network's values need: what shares storage, what lives when, what may lie over what."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from edgekit.mcu.block import ALIGNMENT, Block, May
from edgekit.mcu.ir import ITEM_BYTES, Network, Value
from edgekit.mcu.layer import Layer, View


@dataclass(frozen=True, kw_only=True)
class Storage:
    """The owners of memory: a view's value lies in the memory of the value that it views.

    Attributes:
        root: index of a view to its owner's index; an owner is not in it.
        inputs, outputs, variables: owners of the signature's and the state's memory, without repetition.
    """

    root: Mapping[int, int]
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    variables: tuple[Value, ...]

    def owner(self, value: Value) -> int:
        """The index of the value whose memory this one is."""
        return self.root.get(value.index, value.index)

    def owners(self, values: Iterable[Value]) -> set[int]:
        """The owners of those that are no constants."""
        return {self.owner(value) for value in values if value.data is None}


@dataclass(frozen=True, kw_only=True)
class Memory:
    """The blocks to place.

    Attributes:
        blocks: inputs, outputs, intermediate values and state, then scratch.
        overlaps: indices into `blocks`.
        value_block: index of an owner to its block.
        scratch_block: number of a layer to its scratch, where it has one.
    """

    blocks: tuple[Block, ...]
    overlaps: tuple[May, ...]
    value_block: Mapping[int, int]
    scratch_block: Mapping[int, int]


def resolve(network: Network, lowered: Sequence[Layer | View]) -> tuple[list[Layer], Storage]:
    """Take out the views: what views a constant becomes a constant, other views share their input's memory.

    A constant that the network gives as an output is copied into the arena by a layer of its own.
    """
    root: dict[int, int] = {}
    constants: dict[int, Value] = {}
    layers: list[Layer] = []
    for item in lowered:
        if isinstance(item, Layer):
            inputs = tuple(constants.get(value.index, value) for value in item.inputs)
            layers.append(replace(item, inputs=inputs))
            continue
        given = constants.get(item.input.index, item.input)
        if given.data is None:
            root[item.output.index] = root.get(given.index, given.index)
        else:
            constants[item.output.index] = replace(item.output, data=given.data.reshape(item.output.shape))
    outputs = []
    for value in dict.fromkeys(network.outputs):
        constant = constants.get(value.index, value)
        if constant.data is not None:
            layers.append(_copy(constant))
        outputs.append(replace(value, data=None))
    storage = Storage(root=root, inputs=network.inputs, outputs=tuple(outputs), variables=network.variables)
    return layers, storage


def share_in_place(layers: Sequence[Layer], storage: Storage, apart: Collection[int] = ()) -> Storage:
    """Let the output of each layer that works in place share its input's memory, where nothing later reads that.

    Args:
        layers: in the order of their run.
        storage: without any sharing but views.
        apart: indices of outputs that are to have memory of their own.
    """
    for step, layer in enumerate(layers):
        if not layer.in_place or layer.outputs[0].index in apart:
            continue
        given, made = storage.owner(layer.inputs[0]), storage.owner(layer.outputs[0])
        later = storage.owners(value for other in layers[step + 1 :] for value in other.inputs)
        kept = storage.owners((*storage.outputs, *storage.variables))
        if layer.inputs[0].data is None and given not in later | kept and made not in storage.owners(storage.variables):
            root = {index: given if owner == made else owner for index, owner in storage.root.items()}
            storage = replace(storage, root={**root, made: given})
    return storage


def _copy(constant: Value) -> Layer:
    return Layer(
        name=f"constant {constant.name}",
        kernel="copy",
        params={"bytes": constant.size_bytes},
        inputs=(constant,),
        outputs=(replace(constant, data=None),),
    )


def memory(layers: Sequence[Layer], storage: Storage) -> Memory:
    """Blocks and overlaps of layers that run in this order."""
    lives = _lifetimes(layers, storage)
    blocks: list[Block] = []
    place: dict[int, int] = {}
    for index, (value, first, last) in lives.items():
        place[index] = len(blocks)
        align = max(ALIGNMENT, ITEM_BYTES.get(value.dtype, 1))
        blocks.append(Block(name=value.name, size_bytes=max(1, value.size_bytes), first=first, last=last, align=align))
    scratch: dict[int, int] = {}
    for step, layer in enumerate(layers):
        if layer.scratch_bytes:
            scratch[step] = len(blocks)
            blocks.append(Block(name=f"scratch of {layer.name}", size_bytes=layer.scratch_bytes, first=step, last=step))
    overlaps = []
    for step, layer in enumerate(layers):
        dying = {index for index in storage.owners(layer.inputs) if lives[index][2] == step}
        born = {index for index in storage.owners(layer.outputs) if lives[index][1] == step}
        for (earlier, later), distance in allowed(layer, storage, dying, born).items():
            overlaps.append(May(earlier=place[earlier], later=place[later], distance=distance))
    return Memory(blocks=tuple(blocks), overlaps=tuple(overlaps), value_block=place, scratch_block=scratch)


def allowed(layer: Layer, storage: Storage, dying: set[int], born: set[int]) -> dict[tuple[int, int], int]:
    """(owner of an input, owner of an output) to the distance at which the output may lie over it.

    Only inputs that nothing needs afterwards count, and of them only those that the layer allows wherever it reads
    them: a value that it reads twice has to be allowed twice.

    Args:
        layer: with its overlaps.
        storage: owners.
        dying: owners that nothing after this layer reads.
        born: owners that nothing before this layer wrote.
    """
    kept = storage.owners((*storage.outputs, *storage.variables))
    stable = storage.owners(storage.variables)
    given = {(overlap.input, overlap.output): overlap.distance for overlap in layer.overlaps}
    found = {}
    for earlier in dying - kept:
        places = [n for n, value in enumerate(layer.inputs) if value.data is None and storage.owner(value) == earlier]
        for output, value in enumerate(layer.outputs):
            later = storage.owner(value)
            if later in born - stable and later != earlier and all((place, output) in given for place in places):
                found[earlier, later] = max(given[place, output] for place in places)
    return dict(sorted(found.items()))


def _lifetimes(layers: Sequence[Layer], storage: Storage) -> dict[int, tuple[Value, int, int]]:
    """Owner index to (value, first step, last step) of all that lies in the arena.

    Inputs are there before the first step, outputs after the last one, state throughout.
    """
    end = max(0, len(layers) - 1)
    lives: dict[int, tuple[Value, int, int]] = {}

    def touch(value: Value, step: int) -> None:
        if value.data is None:
            owner = storage.owner(value)
            known, first, last = lives.get(owner, (value, step, step))
            lives[owner] = (known, min(first, step), max(last, step))

    for value in storage.inputs:
        touch(value, 0)
    for step, layer in enumerate(layers):
        for value in (*layer.inputs, *layer.outputs):
            touch(value, step)
    for value in storage.outputs:
        touch(value, end)
    for value in storage.variables:
        touch(value, 0)
        touch(value, end)
    return lives
