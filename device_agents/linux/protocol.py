"""The words and the framing that host and agent share (docs/protocol.md tells the whole story)."""

from __future__ import annotations

import json
import struct

PROTOCOL = 1
MAGIC = b"EDGEKIT-AGENT/1\n"
"""First bytes of the agent on stdout. The host skips at most `MAX_PREAMBLE` bytes of foreign text before them."""

MAX_PREAMBLE = 64 * 1024
MAX_LINE = 1024 * 1024
"""Longest JSON line in bytes, its newline included."""

MAX_FRAME = 1024 * 1024
"""Longest payload frame in bytes."""

DEFLATE = "deflate"
"""RFC 1951, with neither zlib's nor gzip's header around it."""

DELTA = "delta"
"""What differs from a blob that the device has, as a deflate stream of operations."""

ENCODINGS = (DEFLATE, DELTA)
"""How the payload of a `stage` may travel, other than plain; `hello` names them, as older agents know none."""

DELTA_OPERATION = struct.Struct(">BIQ")
"""Kind, bytes that the operation stands for, and where it reads the base (0 for DELTA_INSERT)."""

DELTA_COPY, DELTA_ADD, DELTA_INSERT = DELTA_KINDS = 0, 1, 2
"""Bytes of the base; bytes that follow, added modulo 256 to those of the base; bytes that follow."""

VERBS = (
    "hello",
    "status",
    "stage",
    "activate",
    "rollback",
    "probe",
    "infer",
    "measure",
    "evaluate",
    "collect",
    "confirm",
    "pin",
    "lease",
    "trust",
    "bye",
)

LEASED = ("stage", "activate", "rollback", "confirm", "pin", "collect", "measure", "evaluate", "probe", "trust")
"""Verbs that a lease keeps others from, and that take its token."""

MAX_TIMES = 80_000
"""Most calls that one `measure` may time, warm-ups included, over all its processes."""

MAX_TIMEOUT_S = 86_400.0
"""Longest limit of a child process."""

HEARTBEAT_S = 5.0
"""A busy agent sends an event at least this often."""


class FrameError(Exception):
    """Bytes that the protocol does not allow."""


def _reject_constant(name: str) -> float:
    raise FrameError(f"a JSON message holds {name}, which is not a number")


def _reject_duplicates(pairs: "list[tuple[str, object]]") -> "dict[str, object]":
    keys = dict(pairs)
    if len(keys) != len(pairs):
        raise FrameError("a JSON message names one key twice")
    return keys


def encode_message(message: "dict[str, object]") -> bytes:
    """One JSON object as one line of UTF-8; the same object always gives the same bytes."""
    line = json.dumps(message, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("utf-8") + b"\n"
    if len(line) > MAX_LINE:
        raise FrameError(f"a message of {len(line)} bytes is longer than the limit of {MAX_LINE}")
    return line


def decode_message(line: bytes) -> "dict[str, object]":
    """The JSON object in one line; raises FrameError on anything else."""
    if len(line) > MAX_LINE:
        raise FrameError(f"a line is longer than {MAX_LINE} bytes")
    try:
        message = json.loads(
            line.decode("utf-8"), parse_constant=_reject_constant, object_pairs_hook=_reject_duplicates
        )
    except (ValueError, RecursionError) as cause:
        raise FrameError(f"a line is not JSON: {line[:80]!r}") from cause
    if not isinstance(message, dict):
        raise FrameError(f"a line is not a JSON object: {line[:80]!r}")
    return message


def encode_frame(payload: bytes) -> bytes:
    """Payload bytes behind their length (unsigned, 32 bits, big-endian); the empty frame ends a payload."""
    if len(payload) > MAX_FRAME:
        raise FrameError(f"a frame of {len(payload)} bytes is longer than the limit of {MAX_FRAME}")
    return struct.pack(">I", len(payload)) + payload


def decode_frame_length(header: bytes) -> int:
    """The payload length in a frame's four header bytes; raises FrameError above MAX_FRAME."""
    (length,) = struct.unpack(">I", header)
    if length > MAX_FRAME:
        raise FrameError(f"a frame of {length} bytes is announced, the limit is {MAX_FRAME}")
    return int(length)
