"""Which programs of the host a backend needs, and which Debian package has them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from edgekit.emulators._commands import PATH
from edgekit.emulators._debian import KEYRING
from edgekit.emulators._types import Missing

if TYPE_CHECKING:
    from collections.abc import Iterable

_PACKAGE_OF = {
    "apt-get": "apt",
    "chroot": "coreutils",
    "dpkg-deb": "dpkg",
    "fakeroot": "fakeroot",
    "mke2fs": "e2fsprogs",
    "mount": "mount",
    "qemu-aarch64-static": "qemu-user-static",
    "qemu-img": "qemu-utils",
    "qemu-system-aarch64": "qemu-system-arm",
    "setpriv": "util-linux",
    "tar": "tar",
    "taskset": "util-linux",
    "unshare": "util-linux",
}
_CAP_SYS_ADMIN = 21  # capabilities(7)
_INSTALL = "sudo apt-get -o DPkg::Lock::Timeout=400 install -y --no-install-recommends"


def missing_programs(programs: Iterable[str]) -> list[Missing]:
    """Those programs that are not installed, each with the command that installs it."""
    return [
        Missing(what=program, remedy=f"{_INSTALL} {_PACKAGE_OF[program]}")
        for program in programs
        if shutil.which(program, path=PATH) is None
    ]


def missing_keyring() -> list[Missing]:
    """Debian's archive keys, against which every downloaded package is checked."""
    if KEYRING.exists():
        return []
    return [Missing(what="Debian's archive keys", remedy=f"{_INSTALL} debian-archive-keyring")]


def missing_root() -> list[Missing]:
    """Root rights, with the one that root in a container often lacks."""
    if os.geteuid() != 0:
        return [Missing(what="root rights", remedy="run it as root, or use --backend system, which needs none")]
    if not _may_mount():
        return [Missing(what="the right to mount", remedy="run the container --privileged, or use --backend system")]
    return []


def _may_mount() -> bool:
    status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    effective = next(line.split()[1] for line in status.splitlines() if line.startswith("CapEff:"))
    return bool(int(effective, 16) >> _CAP_SYS_ADMIN & 1)
