"""The operating system of the emulated device: a small Debian tree, shared by all devices and never written to."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from edgekit.core.errors import EdgekitError
from edgekit.emulators._architecture import architecture_of
from edgekit.emulators._cache import cached
from edgekit.emulators._commands import run
from edgekit.emulators._debian import DebianArchive, unpack

if TYPE_CHECKING:
    from edgekit.emulators._base import OnText
    from edgekit.emulators._types import MachineSpec

# Raise when the steps below change, so that trees of older versions are not reused.
_RECIPE = 1
_PACKAGES = (
    "?essential",  # without it there is no /bin/sh, and sshd refuses root
    "busybox-static",  # init and module loading in system mode
    "libgomp1",  # scipy-like wheels
    "libstdc++6",  # LiteRT
    "mount",
    "openssh-server",
    "openssh-sftp-server",
    "procps",
    "python3",
    "zlib1g",
)
_SSHD_USER = "sshd:x:100:65534::/run/sshd:/usr/sbin/nologin\n"
_COMPILE_TIMEOUT_S = 300


def rootfs_recipe(machine: MachineSpec) -> dict[str, object]:
    """Everything that the tree depends on; its digest names it in the cache."""
    return {
        "recipe": _RECIPE,
        "suite": machine.debian_suite,
        "arch": machine.arch,
        "packages": list(_packages(machine)),
        # A tree unpacked by a plain user belongs to that user, which the user backend cannot use.
        "owned_by_root": os.geteuid() == 0,
    }


def rootfs(machine: MachineSpec, *, cache_dir: Path, on_event: OnText) -> Path:
    """The root tree, built now if it is not in the cache (about 20 s and 50 MB of download).

    Raises:
        NetworkError: Debian's archive cannot be reached.
        StorageError: the disk is full.
    """

    def build(folder: Path) -> None:
        on_event(f"building the {machine.arch} system: fetching Debian {machine.debian_suite}")
        packages = folder / "packages"
        packages.mkdir()
        archive = debian_archive(machine, cache_dir)
        downloaded = archive.download(_packages(machine), into=packages, with_dependencies=True)
        on_event(f"building the {machine.arch} system: unpacking {len(downloaded)} packages")
        tree = folder / "tree"
        _prepare(tree)
        for package in downloaded:
            unpack(package, tree)
        _finish(tree)
        shutil.rmtree(packages)
        on_event(f"building the {machine.arch} system: compiling Python's library")
        _compile_python(tree)

    must_hold = ("tree/usr/sbin/sshd", "tree/usr/bin/python3", "tree/usr/bin/busybox")
    return cached(cache_dir, "rootfs", rootfs_recipe(machine), build, must_hold=must_hold) / "tree"


def debian_archive(machine: MachineSpec, cache_dir: Path) -> DebianArchive:
    """The archive that the machine's packages come from."""
    folder = cache_dir / "debian" / f"{machine.debian_suite}-{machine.arch}"
    return DebianArchive(folder=folder, suite=machine.debian_suite, arch=machine.arch)


def _packages(machine: MachineSpec) -> tuple[str, ...]:
    return (*_PACKAGES, *architecture_of(machine).system_packages)


def _prepare(tree: Path) -> None:
    """Merge /usr before anything is unpacked, as Debian does since 12."""
    for name in ("bin", "sbin", "lib"):
        (tree / "usr" / name).mkdir(parents=True)
        (tree / name).symlink_to(f"usr/{name}")
    tree.chmod(0o755)


def _finish(tree: Path) -> None:
    """Do by hand what the maintainer scripts would have done, as far as a device needs it."""
    for name, more in (("passwd", _SSHD_USER), ("group", "")):
        master = (tree / f"usr/share/base-passwd/{name}.master").read_text(encoding="ascii")
        _write(tree / "etc" / name, master + more)
    _write(tree / "etc/resolv.conf", "")
    (tree / "usr/bin/awk").symlink_to("mawk")
    for name in ("init", "reboot", "poweroff", "halt"):
        (tree / "usr/sbin" / name).symlink_to("../bin/busybox")
    for library in ("blas/libblas.so.3", "lapack/liblapack.so.3"):  # which update-alternatives would choose for NumPy
        for path in tree.glob(f"usr/lib/*/{library}"):
            (path.parents[1] / path.name).symlink_to(library)


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="ascii")
    path.chmod(0o644)  # whatever our umask is


def _compile_python(tree: Path) -> None:
    """Compile Python's library; emulated, the first start of every device would spend seconds on it."""
    library = next((tree / "usr/lib").glob("python3.*"), None)
    if library is not None:
        for folder in filter(Path.is_dir, (library, tree / "usr/lib/python3/dist-packages")):
            compile_bytecode(folder, python=library.name, tree=tree)


def compile_bytecode(library: Path, *, python: str, tree: Path) -> None:
    """Compile the modules in a folder of a root tree, on the host.

    Byte code depends on Python's minor version only, so a host without the same one skips this step.

    Args:
        library: the folder.
        python: the program that will read the byte code, e.g. "python3.11".
        tree: what will be the root folder.
    """
    compiler = sys.executable if python == f"python3.{sys.version_info.minor}" else shutil.which(python)
    if compiler is None:
        return
    prefix = ["--invalidation-mode", "unchecked-hash", "-s", str(tree), "-p", "/"]
    try:
        run([compiler, "-I", "-m", "compileall", "-q", "-j", "2", *prefix, library], timeout_s=_COMPILE_TIMEOUT_S)
    except EdgekitError:
        # A module that does not compile (a test file with bad syntax) only costs time later.
        return
