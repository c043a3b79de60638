"""Frames between host and board: 16 bytes of header, then the payload; `frame.h` is the board's side.

Little-endian: magic u16, sequence u16, verb u8, status u8, zero u16, length u32, CRC-32 u32 over the 12 bytes before it
and the payload.
"""

import struct
import zlib
from typing import NamedTuple, Tuple

PROTOCOL = 1
MAGIC = 0x4B45
HELLO, INFER, RESET, PROFILE = 1, 2, 3, 4
STATUSES = {0: "ok", 1: "bad checksum", 2: "bad length", 3: "bad verb"}

_CHECKED = struct.Struct("<HHBBHI")
_CHECKSUM = struct.Struct("<I")
_HELLO = struct.Struct("<4I32s")
_MOST_TENSORS = 1 << 10
_PROFILE = struct.Struct("<2I")
HEADER_BYTES = _CHECKED.size + _CHECKSUM.size
SEQUENCES = 1 << 16


class FrameError(ValueError):
    """Bytes that are no frame."""


class Frame(NamedTuple):
    """One request or answer."""

    sequence: int
    verb: int
    payload: bytes = b""
    status: int = 0


class Hello(NamedTuple):
    """What a board says about itself.

    Attributes:
        protocol: version of this one.
        arena_bytes: working memory of the model.
        image_sha256: of its flash as it is now, 64 hex digits.
        input_bytes, output_bytes: of each tensor.
    """

    protocol: int
    arena_bytes: int
    image_sha256: str
    input_bytes: Tuple[int, ...]
    output_bytes: Tuple[int, ...]


class Profile(NamedTuple):
    """What the board measured of one invoke; 0 cycles where the core does not count them."""

    stack_bytes: int
    cycles: int


def encode(frame: Frame) -> bytes:
    """The bytes of a frame."""
    head = _CHECKED.pack(MAGIC, frame.sequence % SEQUENCES, frame.verb, frame.status, 0, len(frame.payload))
    return head + _CHECKSUM.pack(zlib.crc32(frame.payload, zlib.crc32(head))) + frame.payload


def payload_bytes(header: bytes) -> int:
    """How much payload follows a header."""
    return int(_CHECKED.unpack_from(header)[-1])


def decode(data: bytes, at: int = 0) -> Tuple[Frame, int]:
    """The frame that begins at `at`, and where the next one does.

    Raises:
        FrameError: it is cut off, garbled, or does not begin with the magic number.
    """
    if len(data) - at < HEADER_BYTES:
        raise FrameError(f"{len(data) - at} bytes are too few for a header")
    magic, sequence, verb, status, _, length = _CHECKED.unpack_from(data, at)
    if magic != MAGIC:
        raise FrameError(f"begins with {magic:#06x}, not {MAGIC:#06x}")
    end = at + HEADER_BYTES + length
    payload = data[at + HEADER_BYTES : end]
    if len(payload) != length:
        raise FrameError(f"{len(payload)} of {length} bytes of payload")
    (checksum,) = _CHECKSUM.unpack_from(data, at + _CHECKED.size)
    if checksum != zlib.crc32(payload, zlib.crc32(data[at : at + _CHECKED.size])):
        raise FrameError("the checksum does not match")
    return Frame(sequence, verb, payload, status), end


def read_hello(payload: bytes) -> Hello:
    """The answer to HELLO.

    Raises:
        FrameError: its length is not what it says.
    """
    if len(payload) < _HELLO.size:
        raise FrameError(f"a hello of {len(payload)} bytes")
    protocol, arena, inputs, outputs, digest = _HELLO.unpack_from(payload)
    if max(inputs, outputs) > _MOST_TENSORS or len(payload) != _HELLO.size + 4 * (inputs + outputs):
        raise FrameError(f"a hello of {len(payload)} bytes with {inputs} inputs and {outputs} outputs")
    sizes = struct.unpack_from(f"<{inputs + outputs}I", payload, _HELLO.size)
    return Hello(protocol, arena, digest.hex(), sizes[:inputs], sizes[inputs:])


def read_profile(payload: bytes) -> Tuple[Profile, bytes]:
    """The answer to PROFILE: what was measured, and the outputs one after the other.

    Raises:
        FrameError: it is too short.
    """
    if len(payload) < _PROFILE.size:
        raise FrameError(f"a profile of {len(payload)} bytes")
    return Profile(*_PROFILE.unpack_from(payload)), payload[_PROFILE.size :]
