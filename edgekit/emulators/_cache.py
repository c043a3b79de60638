"""Shared images, built once: a folder named by the hash of its recipe, complete when its stamp is there."""

from __future__ import annotations

import json
import os
import shutil
import time
import uuid
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from edgekit.core.digest import sha256_json
from edgekit.core.errors import LockedError
from edgekit.core.files import storage_errors, write_atomically

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

STAMP = "stamp.json"
"""The file that makes a folder of the cache complete: recipe, id and duration of its build."""

_SCHEMA = "edgekit.emulator-cache/1"
_LOCK_TIMEOUT_S = 900


def cache_key(recipe: dict[str, Any]) -> str:
    """The first 16 hex digits of the recipe's digest: every input of a build belongs into the recipe."""
    return sha256_json(recipe)[:16]


def cached(
    cache_dir: Path,
    kind: str,
    recipe: dict[str, Any],
    build: Callable[[Path], None],
    *,
    must_hold: Iterable[str] = (),
) -> Path:
    """The folder for a recipe, built now unless it is there and whole.

    A build works in a folder of its own and is renamed into place, stamp written last, so that a build that was
    cut off is never taken for a finished one. Several processes may ask at once; one builds, the others wait.

    Args:
        cache_dir: root of the cache.
        kind: what it is, e.g. "rootfs"; the name of a sub-folder.
        recipe: all inputs of the build, as JSON values.
        build: fills the empty folder it is given.
        must_hold: relative paths without which the folder counts as damaged.

    Raises:
        LockedError: another process has been building the same for a quarter of an hour.
        StorageError: the disk is full.
    """
    key = cache_key(recipe)
    final = cache_dir / kind / key
    wanted = (STAMP, *must_hold)
    with storage_errors(final):
        final.parent.mkdir(parents=True, exist_ok=True)
    try:
        # Also when it is there: `_prune.prune` removes it only under this lock.
        with FileLock(final.parent / f"{key}.lock", timeout=_LOCK_TIMEOUT_S), storage_errors(final):
            if not _whole(final, wanted):
                _rebuild(final, recipe, build)
    except Timeout as cause:
        raise LockedError(
            f"another process has been building {final} for {_LOCK_TIMEOUT_S} s", hint=f"end it, or remove {final}.lock"
        ) from cause
    return final


def _whole(folder: Path, wanted: Iterable[str]) -> bool:
    return all((folder / name).exists() for name in wanted)


def _rebuild(final: Path, recipe: dict[str, Any], build: Callable[[Path], None]) -> None:
    part = final.with_name(f"{final.name}.part")
    for leftover in (part, final):
        if leftover.exists():
            shutil.rmtree(leftover)
    part.mkdir()
    begun = time.monotonic()
    try:
        build(part)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    os.sync()  # the stamp must not outlive, in a crash of the host, what it vouches for
    seconds = round(time.monotonic() - begun, 1)
    # The build's own id: two builds of one recipe differ, since Debian's archive moves on.
    stamp = {"schema": _SCHEMA, "recipe": recipe, "build": str(uuid.uuid4()), "seconds": seconds}
    write_atomically(part / STAMP, json.dumps(stamp, indent=2, sort_keys=True).encode() + b"\n")
    part.replace(final)
