"""Which programs of the host a backend needs, and which Debian package has them."""

from __future__ import annotations

import os
import shutil
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
    """Root rights."""
    if os.geteuid() == 0:
        return []
    return [Missing(what="root rights", remedy="run it as root, or use --backend system, which needs none")]
