"""From counted blocks to a profile by function and layer."""

from __future__ import annotations

import bisect
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice

from edgekit.core.elf import Elf
from edgekit.core.firmware import Block
from edgekit.core.thumb import Kind, instructions, kind_of

_LAYER = re.compile(r"ek_layer_(\d+)\b")
_LONGEST_BYTES = 4
_LEAVE = "edgekit_returned"
_INVOKE = re.compile(r"\w+_invoke")


def enter_address(elf: Elf) -> int:
    """Where the model's invoke begins."""
    names = [symbol.name for symbol in elf.symbols if symbol.is_function and _INVOKE.fullmatch(symbol.name)]
    return elf.address_of(names[0] if names else "model_invoke")


def leave_address(elf: Elf) -> int:
    """Where the harness goes on after an invoke."""
    return elf.address_of(_LEAVE)


def layer_names(elf: Elf) -> dict[int, str]:
    """Address to name of each function that runs one layer, without what compilers add to names."""
    found = ((symbol, _LAYER.match(symbol.name)) for symbol in elf.symbols if symbol.is_function)
    return {symbol.address: match[0] for symbol, match in found if match is not None}


def by_function(elf: Elf, blocks: Iterable[Block]) -> dict[str, int]:
    """Instructions of each function, most first; each block counts for the last symbol at or before it."""
    starts = sorted((symbol.address, symbol.name) for symbol in elf.symbols if symbol.is_function)
    addresses = [address for address, _ in starts]
    found: dict[str, int] = {}
    for block in blocks:
        place = bisect.bisect_right(addresses, block.address) - 1
        name = starts[place][1] if place >= 0 else f"{block.address:#x}"
        found[name] = found.get(name, 0) + block.instructions * block.entries
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))


def by_kind(elf: Elf, blocks: Iterable[Block]) -> dict[Kind, int]:
    """Instructions of each kind, most first."""
    found: Counter[Kind] = Counter()
    for block in blocks:
        code = elf.content(block.address, block.address + _LONGEST_BYTES * block.instructions)
        before = Kind.OTHER
        for instruction in islice(instructions(code), block.instructions):
            kind, registers = kind_of(instruction)
            found[Kind.NEXT_LOAD if kind is before is Kind.LOAD else kind] += block.entries
            before = kind
            found[Kind.REGISTERS] += registers * block.entries
    return dict(found.most_common())


def named_layers(parts: Sequence[tuple[int, int]], names: Mapping[int, str]) -> tuple[tuple[str, int], ...]:
    """(name, instructions) of each layer in the order of its run; what runs before the first one counts for it."""
    layers = [(names[address], count) for address, count in parts if address in names]
    before = sum(count for address, count in parts if address not in names)
    if not layers:
        return ()
    (first, count), *rest = layers
    return ((first, count + before), *rest)
