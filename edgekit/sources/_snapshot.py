"""The copy of the user's model that the rest works on: looked at before it is copied, and taken in one piece."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from edgekit.core.errors import InputError, UnsupportedError, VerificationError
from edgekit.core.files import require_readable, storage_errors
from edgekit.core.isolation import Isolate

MAX_ENTRIES = 10_000
"""Files and folders of a model folder; a SavedModel of many signatures and shards has some hundreds."""

_MAX_MODEL_BYTES = 8 * 2**30
_TRIES = 2


@dataclass(frozen=True, kw_only=True)
class _File:
    """One file of a model as it was found; equal stamps mean that nothing was written to it in between."""

    name: str
    size_bytes: int
    modified_ns: int


def snapshot(path: Path, work: Path, isolate: Isolate) -> Path:
    """Copy a model.

    Args:
        path: a file or folder.
        work: folder for the copy.
        isolate: the child process that looks at a folder.

    Returns:
        The copy.

    Raises:
        InputError: the path cannot be read, or is a folder that no source knows or that holds far too much.
        UnsupportedError: it is empty, or larger than a model.
        VerificationError: a folder with links, or the source changed while it was read, twice.
        StorageError: the disk is full.
    """
    require_readable(path, what="model", folder_allowed=True)
    if path.is_dir():
        isolate.call("edgekit.sources._child:require_model_folder", {"path": str(path)}, what=f"looking at {path}")
    target = work / "source" / (path.name or "model")
    for _ in range(_TRIES):
        found = _survey(path)
        if not any(file.size_bytes for file in found):
            raise UnsupportedError(f"{path} has 0 bytes", hint="export or copy the model again")
        if _copied(path, target, found):
            return target
        shutil.rmtree(target.parent)
    raise VerificationError(
        f"the source changed while it was read: {path}", hint="wait for the export to end, try again"
    )


def _copied(path: Path, target: Path, found: list[_File]) -> bool:
    """Copy what was found; False when it is no longer what was found."""
    try:
        for file in found:
            destination = target / file.name
            with storage_errors(target):
                destination.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path / file.name, destination)
        return _survey(path) == found
    except FileNotFoundError:
        if not path.exists():
            raise InputError(f"the model {path} vanished while it was read", hint="check the path") from None
        return False


def _survey(path: Path) -> list[_File]:
    """The model's files by name, "" for a model that is a file itself; stops at the first thing that is too much."""
    if path.is_file():
        return [_stamp(path, "")]
    found, entries, size_bytes, folders = list[_File](), 0, 0, [path]
    while folders:
        with os.scandir(folders.pop()) as listing:
            for entry in listing:
                entries += 1
                if entries > MAX_ENTRIES:
                    raise InputError(
                        f"the folder {path} holds more than {MAX_ENTRIES:,} entries",
                        hint="give the folder of the model alone",
                    )
                file = Path(entry.path)
                if entry.is_symlink():
                    raise VerificationError(
                        f"{file} is a link within the model folder", hint="copy the model without links"
                    )
                require_readable(file, what="model file", folder_allowed=True)
                if entry.is_dir():
                    folders.append(file)
                    continue
                found.append(_stamp(file, file.relative_to(path).as_posix()))
                size_bytes += found[-1].size_bytes
                if size_bytes > _MAX_MODEL_BYTES:
                    raise _too_large(path)
    return sorted(found, key=lambda file: file.name)


def _stamp(file: Path, name: str) -> _File:
    facts = file.stat()
    if facts.st_size > _MAX_MODEL_BYTES:
        raise _too_large(file)
    return _File(name=name, size_bytes=facts.st_size, modified_ns=facts.st_mtime_ns)


def _too_large(path: Path) -> UnsupportedError:
    return UnsupportedError(f"{path} is larger than {_MAX_MODEL_BYTES >> 30} GiB", hint="is it a model?")
