"""The kernel of the emulated machine and the small initramfs that finds its disk."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edgekit.core.digest import sha256_bytes, sha256_file
from edgekit.core.files import write_atomically
from edgekit.emulators import _initramfs
from edgekit.emulators._cache import cached
from edgekit.emulators._debian import unpack
from edgekit.emulators._rootfs import debian_archive

if TYPE_CHECKING:
    from edgekit.emulators._base import OnText
    from edgekit.emulators._types import MachineSpec

_META_PACKAGE = "linux-image-cloud-arm64"
_MODULES = (
    # Debian's cloud kernel has ext4 built in but loads virtio; in this order, because nothing resolves dependencies.
    "virtio_ring",
    "virtio",
    "virtio_pci_legacy_dev",
    "virtio_pci_modern_dev",
    "virtio_pci",
    "virtio_blk",
    "failover",
    "net_failover",
    "virtio_net",
    "rng-core",
    "virtio-rng",
)
_INIT = Path(__file__).with_name("_system_init.sh")
_SCRIPTS = {
    "etc/edgekit/boot": Path(__file__).with_name("_system_boot.sh"),
    "etc/edgekit/identify": Path(__file__).with_name("_system_identify.sh"),
}
_INITTAB = """\
::sysinit:/etc/edgekit/boot
::respawn:/usr/sbin/sshd -D
::once:/etc/edgekit/identify
::ctrlaltdel:/sbin/reboot
::shutdown:/bin/umount -a -r
"""


@dataclass(frozen=True, kw_only=True)
class Kernel:
    """What QEMU loads: two files of one folder."""

    folder: Path

    @property
    def image(self) -> Path:
        """The kernel."""
        return self.folder / "vmlinuz"

    @property
    def initramfs(self) -> Path:
        """The first root, from which the disk is mounted."""
        return self.folder / "initramfs.cpio"

    @property
    def digest(self) -> str:
        """Digest of both."""
        return sha256_bytes(f"{sha256_file(self.image)} {sha256_file(self.initramfs)}".encode())


def kernel(machine: MachineSpec, tree: Path, *, cache_dir: Path, on_event: OnText) -> Kernel:
    """The machine's kernel, fetched now if it is not in the cache (21 MB).

    Args:
        machine: names the Debian release.
        tree: the machine's root tree, for its static busybox.
        cache_dir: root of the cache.
        on_event: gets one line for each step.

    Raises:
        NetworkError: Debian's archive cannot be reached.
        StorageError: the disk is full.
    """
    init, scripts = _INIT.read_bytes(), {path: file.read_bytes() for path, file in _SCRIPTS.items()}
    recipe = {
        "package": _META_PACKAGE,
        "suite": machine.debian_suite,
        "modules": list(_MODULES),
        "texts": [sha256_bytes(text) for text in (init, *scripts.values(), _INITTAB.encode())],
    }

    def build(folder: Path) -> None:
        on_event(f"fetching the {machine.arch} kernel of Debian {machine.debian_suite}")
        archive = debian_archive(machine, cache_dir)
        unpacked = folder / "unpacked"
        unpacked.mkdir()
        package = archive.dependency(_META_PACKAGE, prefix="linux-image-")
        for file in archive.download([package], into=folder, with_dependencies=False):
            unpack(file, unpacked)
            file.unlink()
        busybox = (tree / "usr/bin/busybox").read_bytes()
        entries = [*_first_root(init, busybox), *_modules(unpacked), *_for_the_disk(scripts)]
        write_atomically(folder / "initramfs.cpio", _initramfs.write_cpio(entries))
        next((unpacked / "boot").glob("vmlinuz-*")).replace(folder / "vmlinuz")
        shutil.rmtree(unpacked)

    found = cached(cache_dir, "kernel", recipe, build, must_hold=("vmlinuz", "initramfs.cpio"))
    return Kernel(folder=found)


def _first_root(init: bytes, busybox: bytes) -> list[_initramfs.Entry]:
    return [
        *map(_initramfs.folder, ("bin", "dev", "proc", "sys", "root", "modules")),
        _initramfs.character_device("dev/console", 5, 1),
        _initramfs.file("bin/busybox", busybox, mode=0o755),
        _initramfs.file("init", init, mode=0o755),
    ]


def _modules(unpacked: Path) -> list[_initramfs.Entry]:
    """The modules, numbered in loading order. What a kernel has built in, its package has no module of."""
    found = {file.stem: file for file in unpacked.glob("**/*.ko")}
    return [
        _initramfs.file(f"modules/{number:02}-{name}.ko", found[name].read_bytes())
        for number, name in enumerate(_MODULES)
        if name in found
    ]


def _for_the_disk(scripts: dict[str, bytes]) -> list[_initramfs.Entry]:
    """What init copies to a new disk."""
    return [
        *map(_initramfs.folder, ("files", "files/etc", "files/etc/edgekit")),
        _initramfs.file("files/etc/inittab", _INITTAB.encode()),
        *(_initramfs.file(f"files/{path}", text, mode=0o755) for path, text in scripts.items()),
    ]
