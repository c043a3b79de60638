"""What a source is, and the copy of the user's file that the rest works on."""

from __future__ import annotations

import shutil
import zlib
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

from edgekit.core.artifact import Artifact, TensorSpec
from edgekit.core.digest import sha256_path
from edgekit.core.errors import InputError, UnsupportedError, VerificationError
from edgekit.core.files import require_readable, storage_errors
from edgekit.core.isolation import Isolate

_MAX_MODEL_BYTES = 8 * 2**30


@dataclass(frozen=True, kw_only=True)
class Signature:
    """What a source can tell of a model without a framework; empty where it takes one."""

    inputs: tuple[TensorSpec, ...] = ()
    outputs: tuple[TensorSpec, ...] = ()
    warnings: tuple[str, ...] = ()


class Source(ABC):
    """A model format. `matches` and `_load` run in a child process, never in the user's.

    Attributes:
        format: the artifact format that passes accept, e.g. "keras".
    """

    format: str

    @abstractmethod
    def matches(self, path: Path) -> bool:
        """Whether the content of a file or folder is of this format; looks at magic numbers and names inside."""

    @abstractmethod
    def _load(self, path: Path) -> Signature:
        """Check that the model is safe and whole.

        Raises:
            VerificationError: it would run code, or its container is hostile.
            UnsupportedError: it is damaged, or uses what nothing here can run.
        """

    def load(self, path: Path) -> Signature:
        """As `_load`; a plain OSError becomes an InputError that names the file."""
        try:
            return self._load(path)
        except OSError as cause:
            raise InputError(f"{path} cannot be read: {cause}", hint="check the file and the disk") from cause


def load_source(path: Path, *, work: Path, isolate: Isolate) -> tuple[Artifact, tuple[str, ...]]:
    """Copy the user's model, recognise its format and check it.

    Args:
        path: a file or folder.
        work: folder for the copy.
        isolate: the child process that looks inside.

    Returns:
        The artifact (its path is the copy) and warnings.

    Raises:
        InputError: the path cannot be read.
        VerificationError: unsafe content, or the file changed while it was copied.
        UnsupportedError: no source knows the format, or the model is damaged.
    """
    copy = _snapshot(path, work)
    found = isolate.call(
        "edgekit.sources._child:recognise", {"path": str(copy), "shown": str(path)}, what=f"reading {path}"
    )
    artifact = Artifact(
        format=found["format"],
        path=copy,
        digest=sha256_path(copy),
        size_bytes=size_bytes(copy),
        zip_bytes=zip_bytes(copy),
        made_by=found["source"],
        inputs=tuple(map(TensorSpec.from_json, found["inputs"])),
        outputs=tuple(map(TensorSpec.from_json, found["outputs"])),
    )
    return artifact, tuple(found["warnings"])


def _snapshot(path: Path, work: Path) -> Path:
    require_readable(path, what="model", folder_allowed=True)
    before = _stamp(path)
    if sum(size for _, size, _ in before) > _MAX_MODEL_BYTES:
        raise UnsupportedError(f"{path} is larger than {_MAX_MODEL_BYTES >> 30} GiB", hint="is it a model?")
    if not any(size for _, size, _ in before):
        raise UnsupportedError(f"{path} has 0 bytes", hint="export or copy the model again")
    target = work / "source" / (path.name or "model")
    target.parent.mkdir(parents=True, exist_ok=True)
    with storage_errors(target):
        if path.is_dir():
            shutil.copytree(path, target, copy_function=shutil.copyfile, symlinks=False, dirs_exist_ok=True)
        else:
            shutil.copyfile(path, target)
    if _stamp(path) != before:
        raise VerificationError(
            f"the source changed while it was read: {path}", hint="wait for the export to end, try again"
        )
    return target


def _stamp(path: Path) -> list[tuple[str, int, int]]:
    files = [path] if path.is_file() else sorted(path.rglob("*"))
    for file in files:
        if file.is_symlink() and file != path:
            raise VerificationError(f"{file} is a link within the model folder", hint="copy the model without links")
        require_readable(file, what="model file", folder_allowed=True)
    return [(str(file), file.stat().st_size, file.stat().st_mtime_ns) for file in files if file.is_file()]


def size_bytes(path: Path) -> int:
    """Bytes of a file, or of all files in a folder."""
    if path.is_file():
        return path.stat().st_size
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


def zip_bytes(path: Path) -> int:
    """Bytes after deflate at level 9, file by file: what the model adds to a zip archive, headers aside."""
    files = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())
    total = 0
    for file in files:
        packer = zlib.compressobj(9, zlib.DEFLATED, -15)
        with file.open("rb") as stream:
            while chunk := stream.read(1024 * 1024):
                total += len(packer.compress(chunk))
        total += len(packer.flush())
    return total
