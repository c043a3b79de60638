"""Packages that come with the emulated device: wheels, unpacked once into a layer over the shared root tree."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from edgekit.core.digest import sha256_file
from edgekit.core.errors import InputError, UnsupportedError
from edgekit.emulators._cache import cached
from edgekit.emulators._rootfs import compile_bytecode
from edgekit.emulators._types import USER_LANDS, UserLand

if TYPE_CHECKING:
    from edgekit.emulators._base import OnText
    from edgekit.emulators._types import MachineSpec

# Raise when the steps below change, so that layers of older versions are not reused.
_RECIPE = 1
_SITE = "usr/lib/python3/dist-packages"
"""Where Debian's Python looks."""

_DATA = re.compile(r"^[^/]+\.data/")
_INSTALLED_DATA = re.compile(r"^[^/]+\.data/(?:purelib|platlib)/")


def user_land(machine: MachineSpec) -> UserLand:
    """Python and C library of the system that the machine runs.

    Raises:
        UnsupportedError: not known.
    """
    try:
        return USER_LANDS[machine.debian_suite, machine.arch]
    except KeyError as cause:
        raise UnsupportedError(
            f"the emulators do not know which Python Debian {machine.debian_suite} has on {machine.arch}",
            hint=f"known: {', '.join(' '.join(key) for key in sorted(USER_LANDS))}",
        ) from cause


def layer_of_wheels(machine: MachineSpec, *, cache_dir: Path, on_event: OnText) -> Path:
    """The layer with the machine's wheels, built now if it is not in the cache.

    Raises:
        InputError: a wheel is needed and gone, or is another file than was ordered.
        UnsupportedError: the system's Python is not known.
        StorageError: the disk is full.
    """
    python = "python" + ".".join(user_land(machine).python.split(".")[:2])

    def build(folder: Path) -> None:
        tree = folder / "tree"
        site = tree / _SITE
        site.mkdir(parents=True)
        for path, digest in sorted(machine.wheels.items()):
            on_event(f"building the {machine.target} system: unpacking {Path(path).name}")
            _unpack(Path(path), digest, site)
        on_event(f"building the {machine.target} system: compiling its packages")
        compile_bytecode(site, python=python, tree=tree)
        for made in (tree, *(path for path in tree.rglob("*") if path.is_dir())):
            made.chmod(0o755)  # whatever our umask is

    recipe = {"recipe": _RECIPE, "python": python, "wheels": sorted(machine.wheels.values())}
    return cached(cache_dir, "packages", recipe, build, must_hold=(f"tree/{_SITE}",)) / "tree"


def _unpack(wheel: Path, digest: str, site: Path) -> None:
    if not wheel.is_file() or sha256_file(wheel) != digest:
        raise InputError(
            f"the wheel {wheel} is gone, or is not the one that was ordered",
            hint="bring the device up again under another --name; that fetches its wheels anew",
        )
    with zipfile.ZipFile(wheel) as archive:
        for info in archive.infolist():
            name = _INSTALLED_DATA.sub("", info.filename)
            if info.is_dir() or _DATA.match(name):  # scripts and headers
                continue
            info.filename = name
            Path(archive.extract(info, site)).chmod(0o644)  # `extract` keeps every name below the folder
