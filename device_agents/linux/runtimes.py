"""Runtime bundles: wheels, unpacked by an extractor that trusts nothing, for children to import from."""

from __future__ import annotations

import ctypes
import os
import platform
import re
import stat
import zipfile
from typing import TYPE_CHECKING

from device_agents.linux import durable, storage
from device_agents.linux.errors import AgentError

if TYPE_CHECKING:
    from collections.abc import Callable

    from device_agents.linux.manifest import Manifest
    from device_agents.linux.root import Root

MAX_FILES = 20_000
MAX_BYTES = 2 * 1024**3
MAX_RATIO = 200
"""Unpacked to packed bytes of one member above 1 MiB; real wheels stay below 20."""

_DATA_FOLDER = re.compile(r"^[^/]+\.data/(?:(?:purelib|platlib)/)?")


def install(root: Root, release: Manifest, opened: dict[str, int], prove: Callable[[str], None]) -> None:
    """Unpack a runtime bundle, prove it, and make it durable under its digest.

    Args:
        root: where to.
        release: a manifest of kind "runtime"; every file is a wheel.
        opened: verified descriptors by sha256.
        prove: told the folder before it gets its final name; starts the runtime in a child, which also leaves there
            the bytecode of what it imported: later children (which write nothing) start several times faster.

    Raises:
        AgentError: E_VERIFY for an unsafe wheel; E_STORAGE; what `prove` raises.
    """
    wheels = []
    for path, file in sorted(release.files.items()):
        if not path.endswith(".whl"):
            raise AgentError("E_VERIFY", f"{path!r} in a runtime bundle is not a wheel")
        wheels.append((path, file.sha256))
    folder = durable.temp_name(root.runtimes)
    os.mkdir(folder, 0o700)
    try:
        seen: set[str] = set()
        for path, digest in wheels:
            with os.fdopen(os.dup(opened[digest]), "rb") as source:
                _unpack(path, source, folder, seen, root)
        prove(folder)
        _sync_tree(folder)
        final = root.runtime(release.digest)
        durable.remove_tree(final)  # a bundle that state.json does not know, e.g. left by a dead agent
        os.rename(folder, final)
    except BaseException:
        durable.remove_tree(folder)
        raise
    durable.sync_folder(root.runtimes)


def _unpack(wheel: str, source: object, folder: str, seen: set[str], root: Root) -> None:
    try:
        with zipfile.ZipFile(source) as archive:  # type: ignore[call-overload]  # any binary file
            members = _plan(wheel, archive, seen)
            storage.require(root.path, sum(info.file_size for _, info in members), files=2 * len(members))
            made: set[str] = set()
            for name, info in members:
                _extract(archive, info, os.path.join(folder, name), made)
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, ValueError) as cause:
        raise _bad(wheel, str(cause)) from cause


def _plan(wheel: str, archive: zipfile.ZipFile, seen: set[str]) -> list[tuple[str, zipfile.ZipInfo]]:
    """Names and members to extract, all of them checked before the first byte is written."""
    members = []
    for info in archive.infolist():
        if info.is_dir():
            continue
        name = _DATA_FOLDER.sub("", info.filename)
        if name != info.filename and not re.match(r"^[^/]+\.data/(?:purelib|platlib)/", info.filename):
            continue  # scripts, headers: nothing that an import needs
        _check_member(wheel, name, info)
        if name.casefold() in seen:
            raise _bad(wheel, f"{name!r} comes twice")
        seen.add(name.casefold())
        members.append((name, info))
        if len(seen) > MAX_FILES:
            raise _bad(wheel, f"more than {MAX_FILES} files")
    if sum(info.file_size for _, info in members) > MAX_BYTES:
        raise _bad(wheel, f"more than {MAX_BYTES} bytes unpacked")
    return members


def _check_member(wheel: str, name: str, info: zipfile.ZipInfo) -> None:
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG):
        raise _bad(wheel, f"{name!r} is a link or a device")
    if info.flag_bits & 1 or info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise _bad(wheel, f"{name!r} is encrypted or packed in an unknown way")
    parts = name.split("/")
    if "\\" in name or "\0" in name or any(part in ("", ".", "..") for part in parts):
        raise _bad(wheel, f"{name!r} is not a plain relative path")
    if info.file_size > durable.CHUNK and info.file_size > MAX_RATIO * max(1, info.compress_size):
        raise _bad(wheel, f"{name!r} grows more than {MAX_RATIO} times")


def _extract(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: str, made: set[str]) -> None:
    parent = os.path.dirname(path)
    if parent not in made:
        os.makedirs(parent, 0o700, exist_ok=True)
        made.add(parent)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(path, flags, 0o600)
    written = 0
    try:
        with archive.open(info) as member, durable.naming(path, info.file_size):
            while chunk := member.read(durable.CHUNK):
                written += len(chunk)
                if written > info.file_size:  # the directory of the archive lied
                    raise zipfile.BadZipFile(f"{info.filename!r} is longer than it says")
                durable.write_all(descriptor, chunk)
    finally:
        os.close(descriptor)


def _sync_tree(folder: str) -> None:
    """Make a whole tree durable.

    One syncfs costs one journal commit instead of some 1,500 (one an fsync) for LiteRT and NumPy. It reports write
    errors since Linux 5.8 only (syncfs(2), "Versions"); on older kernels, or without it, each file is fsynced.
    """
    if _kernel() >= (5, 8) and _syncfs(folder):
        return
    for parent, _, names in os.walk(folder):
        for name in names:
            descriptor = durable.open_regular(os.path.join(parent, name))
            try:
                with durable.naming(os.path.join(parent, name)):
                    os.fsync(descriptor)
            finally:
                os.close(descriptor)
        durable.sync_folder(parent)


def _syncfs(folder: str) -> bool:
    """Whether syncfs was there to be called; its failure raises OSError."""
    function = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
    if function is None:
        return False
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if function(descriptor) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), folder)
    finally:
        os.close(descriptor)
    return True


def _kernel() -> tuple[int, int]:
    found = re.match(r"(\d+)\.(\d+)", platform.release())
    return (int(found.group(1)), int(found.group(2))) if found else (0, 0)


def _bad(wheel: str, reason: str) -> AgentError:
    return AgentError("E_VERIFY", f"the wheel {wheel!r} is refused: {reason}", "build the bundle again")
