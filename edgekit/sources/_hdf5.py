"""HDF5 files opened with care, by h5py: nothing that leads out of the file, nothing that grows when it is read."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from edgekit.core.errors import UnsupportedError, VerificationError

MAGIC = b"\x89HDF\r\n\x1a\n"
MAX_TEXT_BYTES = 64 * 2**20
"""Largest attribute; the configuration of a model is one."""

_MAX_OBJECTS = 100_000
_MAX_RATIO = 200
_SMALL_BYTES = 1024 * 1024
_MAX_REPEATED_BYTES = 2**30
_HINT = "this file was not made by Keras; do not use it"


def is_hdf5(path: Path) -> bool:
    """Whether a file is HDF5 that opens; its magic may stand behind a user block of 512, 1024, 2048, ... bytes."""
    if not path.is_file() or not _has_magic(path):
        return False
    try:
        with _opened(path):
            return True
    except OSError:
        return False


def text_attribute(path: Path, name: str) -> str | None:
    """An attribute of the root group as text, None where there is none.

    Raises:
        VerificationError: it is larger than any text that a model needs.
        UnsupportedError: it is no text, or damaged.
    """
    with _damage_told(path), _opened(path) as file:
        if name not in file.attrs:
            return None
        _check_attribute(file, name, path)
        value = file.attrs[name]
    if isinstance(value, bytes):
        value = value.decode("utf-8", "surrogateescape")
    if not isinstance(value, str):
        raise UnsupportedError(f"{path.name}: its attribute {name!r} is no text", hint="save the model again")
    return value


def check_hdf5(path: Path) -> frozenset[str]:
    """Refuse an HDF5 file that is hostile or damaged; reads its structure, not its arrays.

    Returns:
        The names in the root group.

    Raises:
        VerificationError: a link or an array that leads out of the file, or sizes that the file cannot hold.
        UnsupportedError: the structure cannot be read.
    """
    with _damage_told(path), _opened(path) as file:
        total = 0
        for thing in _objects(file, path):
            for name in _names(thing.attrs, path):
                _check_attribute(thing, name, path)
            total += _array_bytes(thing, path)
        size = path.stat().st_size
        if total > _SMALL_BYTES and total > _MAX_RATIO * size:
            raise VerificationError(f"{path.name} unpacks to {total:,} bytes from {size:,}", hint=_HINT)
        return frozenset(file)


def _has_magic(path: Path) -> bool:
    size = path.stat().st_size
    with path.open("rb") as stream:
        place = 0
        while place + len(MAGIC) <= size:
            stream.seek(place)
            if stream.read(len(MAGIC)) == MAGIC:
                return True
            place = max(512, 2 * place)
    return False


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    import h5py

    with h5py.File(path, "r", locking=False) as file:
        yield file


@contextmanager
def _damage_told(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, AttributeError, MemoryError) as cause:
        raise UnsupportedError(
            f"{path.name} is a damaged HDF5 file: {cause}", hint="save or copy the model again"
        ) from cause


def _objects(file: Any, path: Path) -> Iterator[Any]:
    """Every group and array, each once, however often it is linked to."""
    import h5py

    found, todo, links = {_place(file)}, [file], 0
    while todo:
        group = todo.pop()
        yield group
        if not isinstance(group, h5py.Group):
            continue
        links += len(group)
        if links > _MAX_OBJECTS:
            raise VerificationError(f"{path.name} holds more than {_MAX_OBJECTS:,} objects", hint=_HINT)
        for name in group:
            link = group.get(name, getlink=True)
            if not isinstance(link, h5py.HardLink):
                raise VerificationError(f"{path.name}: {name!r} is a link that {_leads(link)}", hint=_HINT)
            thing = group[name]
            if not isinstance(thing, (h5py.Group, h5py.Dataset)):
                raise VerificationError(f"{path.name}: {name!r} is neither a group nor an array", hint=_HINT)
            if _place(thing) not in found:
                found.add(_place(thing))
                todo.append(thing)


def _place(thing: Any) -> int:
    """Where an object lies in the file."""
    import h5py

    return int(h5py.h5o.get_info(thing.id).addr)


def _leads(link: Any) -> str:
    filename = getattr(link, "filename", None)
    return f"leads out of the file, to {filename!r}" if filename is not None else f"leads to {link.path!r}"


def _names(attributes: Any, path: Path) -> list[str]:
    if len(attributes) > _MAX_OBJECTS:
        raise VerificationError(f"{path.name}: {len(attributes):,} attributes at one place", hint=_HINT)
    return list(attributes)


def _check_attribute(thing: Any, name: str, path: Path) -> None:
    attribute = thing.attrs.get_id(name)
    count = 0 if attribute.shape is None else math.prod(attribute.shape)
    size = count * int(attribute.dtype.itemsize)
    if size > MAX_TEXT_BYTES:
        raise VerificationError(f"{path.name}: the attribute {name!r} takes {size:,} bytes", hint=_HINT)
    if attribute.dtype.hasobject:  # each item points at bytes elsewhere in the file, perhaps all at the same ones
        whole = path.stat().st_size
        if count > 1 and count * whole > _MAX_REPEATED_BYTES:
            raise VerificationError(f"{path.name}: the attribute {name!r} may unpack to far too much", hint=_HINT)


def _array_bytes(thing: Any, path: Path) -> int:
    """Bytes of an array once it is read; 0 for a group."""
    import h5py

    if not isinstance(thing, h5py.Dataset):
        return 0
    if thing.is_virtual:
        raise VerificationError(
            f"{path.name}: the array {thing.name!r} is virtual: its values lie in other files", hint=_HINT
        )
    if thing.external:
        raise VerificationError(
            f"{path.name}: the values of the array {thing.name!r} lie in another file, {thing.external[0][0]!r}",
            hint=_HINT,
        )
    if thing.dtype.hasobject:
        raise VerificationError(f"{path.name}: the array {thing.name!r} does not hold numbers", hint=_HINT)
    return 0 if thing.shape is None else math.prod(thing.shape) * int(thing.dtype.itemsize)
