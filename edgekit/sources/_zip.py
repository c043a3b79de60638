"""Zip containers opened with care: no bombs, no twins, no paths that lead out, no broken checksums."""

from __future__ import annotations

import zipfile
from collections import Counter
from pathlib import Path

from edgekit.core.errors import UnsupportedError, VerificationError

MAX_RATIO = 200
"""Unpacked over packed bytes; deflate cannot honestly do more than 1032, and no model comes near 200."""

_MAX_UNPACKED_BYTES = 16 * 2**30
_MAX_MEMBERS = 10_000
_SMALL_BYTES = 1024 * 1024


def member_names(path: Path) -> list[str]:
    """Names in a zip archive, or nothing when it cannot be read."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return []


def check_archive(path: Path) -> None:
    """Refuse a zip archive that is hostile or damaged; reads every member once.

    Raises:
        VerificationError: a bomb, twin names, a path that leads out, or a wrong checksum.
        UnsupportedError: not a zip archive at all.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            _check_members(path, archive.infolist())
            broken = archive.testzip()
    except (zipfile.BadZipFile, EOFError, ValueError, NotImplementedError, RuntimeError) as cause:
        raise UnsupportedError(
            f"{path.name} is a damaged zip archive: {cause}", hint="save or copy the model again"
        ) from cause
    if broken is not None:
        raise VerificationError(
            f"{path.name}: member {broken!r} fails its checksum", hint="save or copy the model again"
        )


def _check_members(path: Path, members: list[zipfile.ZipInfo]) -> None:
    hint = "no framework makes such an archive; do not use it"
    if len(members) > _MAX_MEMBERS:
        raise VerificationError(f"{path.name} holds {len(members)} members", hint=hint)
    names = [member.filename for member in members]
    folded = Counter(name.casefold() for name in names)
    twins = sorted({name for name in names if folded[name.casefold()] > 1})
    if twins:
        raise VerificationError(f"{path.name} names {twins[0]!r} more than once", hint=hint)
    for member in members:
        parts = member.filename.replace("\\", "/").split("/")
        if member.filename.startswith("/") or ".." in parts or "\0" in member.filename:
            raise VerificationError(f"{path.name}: member {member.filename!r} leads out of the archive", hint=hint)
        if member.file_size > _SMALL_BYTES and member.file_size > MAX_RATIO * max(member.compress_size, 1):
            raise VerificationError(
                f"{path.name}: {member.filename!r} unpacks {member.compress_size:,} bytes to {member.file_size:,}",
                hint=hint,
            )
    total = sum(member.file_size for member in members)
    if total > _SMALL_BYTES and total > MAX_RATIO * path.stat().st_size:
        raise VerificationError(f"{path.name} unpacks to {total:,} bytes from {path.stat().st_size:,}", hint=hint)
    if total > _MAX_UNPACKED_BYTES:
        raise VerificationError(f"{path.name} unpacks to more than {_MAX_UNPACKED_BYTES >> 30} GiB", hint=hint)
