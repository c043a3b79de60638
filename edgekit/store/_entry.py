"""One entry of the cache: a folder with a file and the JSON that says what the file must be."""

from __future__ import annotations

import json
import os
import shutil
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from edgekit.core.caching import CachedFile, CacheKey
from edgekit.core.digest import canonical_json, sha256_file, sha256_json
from edgekit.core.errors import InternalError
from edgekit.core.files import fsync_folder

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_RECORD = "entry.json"
_SCHEMA = 1
_CHUNK_BYTES = 1024 * 1024


def write(folder: Path, key: CacheKey, file: Path, metadata: Mapping[str, Any]) -> None:
    """Fill an empty folder and make all of it durable.

    Raises:
        InternalError: the metadata is not JSON.
    """
    content = folder / f"content{file.suffix}"  # loaders look at the suffix
    with file.open("rb") as source, content.open("wb") as copy:
        shutil.copyfileobj(source, copy, _CHUNK_BYTES)
        copy.flush()
        os.fsync(copy.fileno())
    facts = {"file": content.name, "sha256": sha256_file(content), "key": key.as_json(), "metadata": dict(metadata)}
    try:
        record = canonical_json({"schema": _SCHEMA, "facts": facts, "facts_sha256": sha256_json(facts)})
    except (TypeError, ValueError) as cause:
        raise InternalError(f"the metadata of pass {key.pass_name!r} is not plain JSON: {cause}") from cause
    with (folder / _RECORD).open("wb") as out:
        out.write(record)
        out.flush()
        os.fsync(out.fileno())
    fsync_folder(folder)


def read(folder: Path) -> CachedFile | str | None:
    """The verified entry in a folder, or what is wrong with it (one clause), or None when there is none.

    Args:
        folder: named by the digest of its key.
    """
    if not folder.exists():
        return None
    try:
        record = json.loads((folder / _RECORD).read_bytes())
        facts = record["facts"]
        if record["schema"] != _SCHEMA or sha256_json(facts) != record["facts_sha256"]:
            return f"{_RECORD} is not as it was written"
        if sha256_json(facts["key"]) != folder.name:
            return f"{_RECORD} belongs to another key"
        content = folder / facts["file"]
        if sha256_file(content) != facts["sha256"]:
            return f"{content.name} does not have the SHA-256 {facts['sha256']}"
        size_bytes = content.stat().st_size
        return CachedFile(path=content, digest=facts["sha256"], size_bytes=size_bytes, metadata=facts["metadata"])
    except OSError as cause:
        return f"{cause.filename} cannot be read: {cause.strerror}" if folder.exists() else None
    except (ValueError, KeyError, TypeError) as cause:
        return f"{_RECORD} cannot be understood: {cause!r}"


def touch(folder: Path) -> None:
    """Note that the entry was used just now, where that may be noted."""
    with suppress(OSError):  # a cache that may only be read still serves
        os.utime(folder / _RECORD)


def last_use(folder: Path) -> float:
    """Seconds since the epoch; 0 for an entry that is gone."""
    for path in (folder / _RECORD, folder):
        with suppress(OSError):
            return path.stat().st_mtime
    return 0.0


def size_bytes(folder: Path) -> int:
    """Bytes of the entry's files; a file that someone removes meanwhile counts 0."""
    total = 0
    for file in folder.glob("*"):
        with suppress(FileNotFoundError):
            total += file.stat().st_size
    return total
