"""Bundles as files: a tar archive whose bytes depend on nothing but its content."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from edgekit.bundle._check import MANIFEST
from edgekit.bundle.manifest import Manifest, parse_manifest
from edgekit.core.digest import sha256_bytes, sha256_stream
from edgekit.core.errors import InternalError, VerificationError
from edgekit.core.files import require_readable, write_atomically

SUFFIX = ".edgekit"
_MAX_MANIFEST_BYTES = 1024 * 1024
_MAX_MEMBERS = 1000
_HINT = "compile the bundle again, or fetch it again and compare its sha256"


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """A compiled model, ready to be deployed.

    Attributes:
        path: the `.edgekit` file.
        manifest: what is in it.
    """

    path: Path
    manifest: Manifest

    @property
    def digest(self) -> str:
        """SHA-256 of the manifest: what a device reports as its active release."""
        return self.manifest.digest

    @classmethod
    def open(cls, path: Path | str) -> Bundle:
        """Read a bundle file and check every digest in it.

        Raises:
            InputError: the file cannot be read.
            VerificationError: it is not a bundle, or a file in it is not what the manifest says.
        """
        path = Path(path)
        require_readable(path, what="bundle")
        try:
            with tarfile.open(path, "r:") as archive:
                manifest = _check_members(path, archive)
            _check_layout(path, manifest)
        except (tarfile.TarError, EOFError, UnicodeDecodeError, ValueError) as cause:
            raise VerificationError(f"{path} is not a bundle: {cause}", hint=_HINT) from cause
        return cls(path=path, manifest=manifest)

    def read(self, name: str) -> bytes:
        """The bytes of one file of the bundle, checked again.

        Raises:
            KeyError: the manifest does not name it.
            VerificationError: the bundle changed since it was opened.
        """
        entry = self.manifest.files[name]
        try:
            with tarfile.open(self.path, "r:") as archive:
                stream = archive.extractfile(name)
                data = stream.read(entry.size + 1) if stream else b""
        except (tarfile.TarError, EOFError, KeyError, OSError, ValueError):
            data = b""
        if sha256_bytes(data) != entry.sha256:
            raise VerificationError(f"{name} in {self.path} changed since the bundle was opened", hint=_HINT)
        return data


def write_bundle(path: Path, manifest: Manifest, files: Mapping[str, bytes]) -> Bundle:
    """Write a bundle: manifest first, then the files by name; fixed times, owners and modes.

    Args:
        path: the `.edgekit` file.
        manifest: names every file.
        files: their bytes.

    Raises:
        StorageError: the disk is full; nothing is left behind.
    """
    if files.keys() != manifest.files.keys() or len(files) >= _MAX_MEMBERS:
        raise InternalError("the files are not those of the manifest", hint="report this with the command that you ran")
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, data in [(MANIFEST, manifest.text().encode()), *sorted(files.items())]:
            if name != MANIFEST and sha256_bytes(data) != manifest.files[name].sha256:
                raise InternalError(
                    f"{name} is not what the manifest says", hint="report this with the command that you ran"
                )
            archive.addfile(_member(name, len(data)), io.BytesIO(data))
    write_atomically(path, buffer.getvalue())
    return Bundle(path=path, manifest=manifest)


def _member(name: str, size_bytes: int) -> tarfile.TarInfo:
    """The only header that a file of a bundle may have."""
    member = tarfile.TarInfo(name)
    member.size, member.mode = size_bytes, 0o644
    return member


def _check_layout(path: Path, manifest: Manifest) -> None:
    """Refuse bytes that stand in no file: other headers, another order, padding that is not zero, a tail."""
    entries = [(name, entry.size) for name, entry in sorted(manifest.files.items())]
    with path.open("rb") as file:
        for name, size in [(MANIFEST, len(manifest.text().encode())), *entries]:
            whole = file.read(tarfile.BLOCKSIZE) == _member(name, size).tobuf(tarfile.USTAR_FORMAT)
            file.seek(size, os.SEEK_CUR)
            if not whole or any(file.read(-size % tarfile.BLOCKSIZE)):
                raise VerificationError(f"{path}: there is more around {name!r} than edgekit writes", hint=_HINT)
        end = -(file.tell() + 2 * tarfile.BLOCKSIZE) % tarfile.RECORDSIZE + 2 * tarfile.BLOCKSIZE
        if file.read(end + 1) != bytes(end):
            raise VerificationError(f"{path} does not end where its last file ends", hint=_HINT)


def _check_members(path: Path, archive: tarfile.TarFile) -> Manifest:
    manifest: Manifest | None = None
    seen: set[str] = set()
    while (member := archive.next()) is not None:
        if not member.isreg() or member.mode & ~0o777:
            raise VerificationError(f"{path}: {member.name!r} is not a plain file", hint=_HINT)
        if member.name in seen or len(seen) > _MAX_MEMBERS:
            raise VerificationError(f"{path}: {member.name!r} is there twice, or there are too many files", hint=_HINT)
        seen.add(member.name)
        stream = archive.extractfile(member)
        if stream is None:
            raise VerificationError(f"{path}: {member.name!r} cannot be read", hint=_HINT)
        if manifest is None:
            if member.name != MANIFEST or member.size > _MAX_MANIFEST_BYTES:
                raise VerificationError(f"{path} does not begin with a manifest", hint=_HINT)
            manifest = parse_manifest(stream.read())
            continue
        entry = manifest.files.get(member.name)
        if entry is None or entry.size != member.size or sha256_stream(stream) != entry.sha256:
            raise VerificationError(f"{path}: {member.name!r} is not what the manifest says", hint=_HINT)
    missing = sorted(set(manifest.files) - seen) if manifest else [MANIFEST]
    if manifest is None or missing:
        raise VerificationError(f"{path} lacks {missing[0]!r}", hint=_HINT)
    return manifest


def is_bundle(path: Path) -> bool:
    """Whether a file is a tar archive that begins with a manifest, judged by content."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        head = file.read(512)
    return head[257:262] == b"ustar" and head.startswith(b"manifest.json\0")
