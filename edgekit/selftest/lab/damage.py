"""Damage to model files, the same for the same seed: single bits and numbers, copied, lost and added pieces."""

from __future__ import annotations

import io
import random
import struct
import zipfile
from collections.abc import Callable, Iterator

_NUMBERS = (0, 1, 2, 127, 128, 255, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1)
_MAX_PLACES = 4


def damaged(whole: bytes, count: int, seed: int) -> Iterator[bytes]:
    """So many different damaged copies of a file; the kinds of damage take turns.

    Args:
        whole: the file; of a zip archive every other copy is whole again, but for one damaged member.
        count: how many.
        seed: of the choice.
    """
    chance = random.Random(seed)  # noqa: S311 -- no secret
    seen = {whole}
    while len(seen) <= count:
        kind = _KINDS[len(seen) % len(_KINDS)]
        within = _within_member if whole[:2] == b"PK" and len(seen) % 2 else _as_it_is
        made = within(whole, kind, chance)
        if made not in seen:
            seen.add(made)
            yield made


def _as_it_is(whole: bytes, kind: Callable[[bytearray, random.Random], bytes], chance: random.Random) -> bytes:
    return kind(bytearray(whole), chance)


def _within_member(whole: bytes, kind: Callable[[bytearray, random.Random], bytes], chance: random.Random) -> bytes:
    """One member is damaged, and every checksum is right: the reader behind the archive is to see it."""
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        members = [(info.filename, archive.read(info)) for info in archive.infolist()]
    chosen = chance.choice([place for place, (_, data) in enumerate(members) if data])
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for place, (name, data) in enumerate(members):
            archive.writestr(zipfile.ZipInfo(name), kind(bytearray(data), chance) if place == chosen else data)
    return buffer.getvalue()


def _bits(data: bytearray, chance: random.Random) -> bytes:
    for _ in range(chance.randint(1, _MAX_PLACES)):
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    return bytes(data)


def _bytes(data: bytearray, chance: random.Random) -> bytes:
    for _ in range(chance.randint(1, _MAX_PLACES)):
        data[chance.randrange(len(data))] = chance.choice((0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256)))
    return bytes(data)


def _numbers(data: bytearray, chance: random.Random) -> bytes:
    """Four bytes that may be an offset, a size or an index, most of them aligned as formats align them."""
    if len(data) < 4:
        return _bytes(data, chance)
    for _ in range(chance.randint(1, _MAX_PLACES)):
        place = chance.randrange(len(data) - 3) & ~(3 if chance.random() < 0.8 else 0)
        number = chance.choice((*_NUMBERS, chance.randrange(len(data)), chance.randrange(2**32)))
        struct.pack_into("<I", data, place, number)
    return bytes(data)


def _copied(data: bytearray, chance: random.Random) -> bytes:
    size = min(len(data), chance.choice((4, 8, 16, 64)))
    source, target = (chance.randrange(len(data) - size + 1) for _ in range(2))
    data[target : target + size] = data[source : source + size]
    return bytes(data)


def _shortened(data: bytearray, chance: random.Random) -> bytes:
    return bytes(data[: chance.randrange(len(data))])


def _lost(data: bytearray, chance: random.Random) -> bytes:
    start = chance.randrange(len(data))
    del data[start : start + chance.randint(1, 16)]
    return bytes(data)


def _added(data: bytearray, chance: random.Random) -> bytes:
    place = chance.randrange(len(data) + 1)
    data[place:place] = chance.randbytes(chance.randint(1, 64))
    return bytes(data)


_KINDS = (_numbers, _bits, _numbers, _bytes, _copied, _numbers, _shortened, _bits, _lost, _numbers, _added)
