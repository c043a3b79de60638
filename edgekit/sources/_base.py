"""What a source is, and the way from the user's file to an artifact."""

from __future__ import annotations

import zlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit.core.artifact import Artifact, TensorSpec
from edgekit.core.digest import sha256_path
from edgekit.core.errors import InputError
from edgekit.core.isolation import Isolate
from edgekit.sources._snapshot import snapshot


@dataclass(frozen=True, kw_only=True)
class Signature:
    """What a source can tell of a model without a framework; empty where it takes one.

    Attributes:
        inputs, outputs: of the model.
        warnings: for the user.
        facts: as `edgekit.sources._facts.told_facts`, where no other reader tells them.
    """

    inputs: tuple[TensorSpec, ...] = ()
    outputs: tuple[TensorSpec, ...] = ()
    warnings: tuple[str, ...] = ()
    facts: Mapping[str, Any] | None = None


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
        InputError: the path cannot be read, or is a folder that no source knows.
        VerificationError: unsafe content, or the source changed while it was copied, twice.
        UnsupportedError: no source knows the format, or the model is damaged.
    """
    copy = snapshot(path, work, isolate)
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
        facts=found["facts"],
    )
    return artifact, tuple(found["warnings"])


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
