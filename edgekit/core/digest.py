"""SHA-256 digests as 64 hex digits, of bytes, files, folders and plain values."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import IO, Any

from edgekit.core.errors import InputError

_CHUNK_BYTES = 1024 * 1024


def canonical_json(value: Any) -> bytes:
    """The one byte string for a JSON value: sorted keys, no spaces, UTF-8, no NaN."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def sha256_bytes(data: bytes | memoryview) -> str:
    """Digest of bytes."""
    return hashlib.sha256(data).hexdigest()


def sha256_json(value: Any) -> str:
    """Digest of a JSON value in its canonical form."""
    return sha256_bytes(canonical_json(value))


def sha256_stream(stream: IO[bytes]) -> str:
    """Digest of what is left in a binary stream, read in chunks."""
    digest = hashlib.sha256()
    while chunk := stream.read(_CHUNK_BYTES):
        digest.update(chunk)
    return digest.hexdigest()


def sha256_file(path: Path) -> str:
    """Digest of a regular file's content."""
    with path.open("rb") as file:
        return sha256_stream(file)


def sha256_path(path: Path) -> str:
    """Digest of a file, or of a folder as its sorted relative paths and file digests.

    Raises:
        InputError: the folder holds something that is neither a regular file nor a folder.
    """
    if path.is_file():
        return sha256_file(path)
    entries = {}
    for folder, folders, files in os.walk(path):
        folders.sort()
        links = [name for name in folders if (Path(folder) / name).is_symlink()]
        for name in sorted([*files, *links]):
            file = Path(folder) / name
            if file.is_symlink() or not file.is_file():
                raise InputError(f"{file} is not a regular file", hint="give a folder of regular files")
            entries[file.relative_to(path).as_posix()] = sha256_file(file)
    return sha256_json(entries)
