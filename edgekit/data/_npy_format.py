"""Arrays in NumPy's file format, read without pickle and without trusting the header."""

from __future__ import annotations

import ast
import math
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from numpy.lib import format as npy_format

from edgekit.core.errors import InputError, VerificationError
from edgekit.data._base import MAX_BYTES

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAGIC = npy_format.MAGIC_PREFIX

_MAX_HEADER_BYTES = 64 * 1024
_KEYS = {"descr", "fortran_order", "shape"}
_DAMAGED_HINT = "write it again with numpy.save or numpy.savez"


def read_array(stream: IO[bytes], size_bytes: int, *, what: str) -> NDArray[Any]:
    """Read one array.

    Args:
        stream: positioned at the magic bytes.
        size_bytes: length of header and data together.
        what: the file, and the array in it, for messages.

    Returns:
        The array in C order and native byte order.

    Raises:
        VerificationError: it holds pickled objects, or header and length contradict each other.
        InputError: it holds records or dates, or is larger than edgekit reads.
    """
    try:
        shape, is_fortran, dtype = _header(stream)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError) as cause:
        raise VerificationError(f"{what} has no valid header", hint=_DAMAGED_HINT) from cause
    if dtype.hasobject:
        raise VerificationError(
            f"{what} holds pickled Python objects, which run code when they are read",
            hint="convert it to a numeric dtype before saving, e.g. numpy.stack(list)",
        )
    if dtype.kind not in "biufU":
        raise InputError(f"{what} has the dtype {dtype}, not numbers", hint="save it as integers or floats")
    count = math.prod(shape) * dtype.itemsize
    if count > MAX_BYTES:
        raise InputError(f"{what} takes {count:,} bytes, more than {MAX_BYTES >> 30} GiB", hint="save a part of it")
    if count != size_bytes - stream.tell():
        raise VerificationError(
            f"{what} announces {count:,} bytes of data and has {size_bytes - stream.tell():,}", hint=_DAMAGED_HINT
        )
    data = bytearray(count)
    if _fill(stream, data) != count:
        raise VerificationError(f"{what} ends early", hint=_DAMAGED_HINT)
    flat = np.frombuffer(data, dtype)
    array = flat.reshape(shape[::-1]).T if is_fortran else flat.reshape(shape)
    return np.ascontiguousarray(array, dtype.newbyteorder("=")).reshape(shape)


def _header(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """The header's three fields; the format is NEP 1's, versions 1.0 to 3.0."""
    start = stream.read(len(MAGIC) + 2)
    major = start[-2] if start[:-2] == MAGIC else 0
    if major not in (1, 2, 3):
        raise ValueError("not an array file, or a newer version of the format")
    size_bytes = int.from_bytes(stream.read(2 if major == 1 else 4), "little")
    if size_bytes > _MAX_HEADER_BYTES:
        raise ValueError("the header is too long")
    fields = ast.literal_eval(stream.read(size_bytes).decode("utf-8" if major == 3 else "latin-1"))
    if not isinstance(fields, dict) or set(fields) != _KEYS:
        raise ValueError("the header has other fields")
    shape = fields["shape"]
    if not isinstance(shape, tuple) or not all(type(size) is int and size >= 0 for size in shape):
        raise ValueError("the shape is none")
    return shape, bool(fields["fortran_order"]), npy_format.descr_to_dtype(fields["descr"])


def _fill(stream: IO[bytes], data: bytearray) -> int:
    view, filled = memoryview(data), 0
    while filled < len(data):
        chunk = stream.read(min(len(data) - filled, 1 << 20))
        if not chunk:
            break
        view[filled : filled + len(chunk)] = chunk
        filled += len(chunk)
    return filled
