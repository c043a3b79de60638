"""What an image's file says behind the ELF: the machine that plays its board, and the model's signature.

JSON, its length as u32 (little-endian), then the magic bytes. Loaders of ELF files read what its headers name and
never see this.
"""

import json
import struct
from typing import Any, Dict

MAGIC = b"EDGEKIT\x01"
_LENGTH = struct.Struct("<I")


class TrailerError(ValueError):
    """A file that does not end as an image does."""


def append(image: bytes, facts: Dict[str, Any]) -> bytes:
    """An image's bytes with its facts behind them; equal facts give equal bytes."""
    text = json.dumps(facts, sort_keys=True, separators=(",", ":")).encode()
    return image + text + _LENGTH.pack(len(text)) + MAGIC


def read(image: bytes) -> Dict[str, Any]:
    """The facts of an image.

    Raises:
        TrailerError: there are none, or they are damaged.
    """
    end = len(image) - len(MAGIC) - _LENGTH.size
    if end < 0 or not image.endswith(MAGIC):
        raise TrailerError("the file is no image of edgekit's compiler")
    (length,) = _LENGTH.unpack_from(image, end)
    try:
        facts = json.loads(image[max(0, end - length) : end])
    except ValueError as cause:
        raise TrailerError("the end of the image is damaged") from cause
    if length > end or not isinstance(facts, dict):
        raise TrailerError("the end of the image is damaged")
    return facts
