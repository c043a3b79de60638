"""A GPU in software: SwiftShader, Chromium's Vulkan driver for the CPU, from Debian's chromium-common.

It proves what a GPU delegate computes and which operators it takes, never how fast. Mesa's lavapipe cannot stand in:
LiteRT's WebGPU accelerator refuses a device without shaderSampledImageArrayDynamicIndexing (Mesa 22.3.6, Debian 12).
"""

from __future__ import annotations

import platform
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgekit.core.errors import UnsupportedError
from edgekit.emulators._cache import STAMP, cache_key, cached
from edgekit.emulators._debian import DebianArchive, unpack
from edgekit.emulators._packages import missing_keyring, missing_programs
from edgekit.emulators._types import Missing

if TYPE_CHECKING:
    from pathlib import Path

    from edgekit.emulators._base import OnText

_KIND = "software-gpu"
_PACKAGE = "chromium-common"
_SUITE = "bookworm"  # its libraries ask for glibc 2.34, so they load on newer systems too
_FOLDER = "./usr/lib/chromium"
_DRIVER, _MANIFEST, _LOADER = "libvk_swiftshader.so", "vk_swiftshader_icd.json", "libvulkan.so.1"
_ARCHES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True, kw_only=True)
class VulkanDriver:
    """What a process needs to find one Vulkan device and no other.

    Attributes:
        manifest: the driver's JSON file, for VK_ICD_FILENAMES.
        loader: the library libvulkan.so.1, to be loaded first.
    """

    manifest: Path
    loader: Path


def software_gpu(*, cache_dir: Path, on_event: OnText) -> VulkanDriver:
    """The driver, fetched now if it is not in the cache (a download of 32 MB, of which 6 MB are kept).

    Raises:
        UnsupportedError: this machine lacks something; the hint says how to mend it.
        NetworkError, DeadlineError: Debian's archive cannot be reached.
        StorageError: the disk is full.
    """
    lacks = [] if has_software_gpu(cache_dir) else software_gpu_missing()
    if lacks:
        raise UnsupportedError(
            f"the software GPU needs {', '.join(item.what for item in lacks)}",
            hint="; ".join(dict.fromkeys(item.remedy for item in lacks)),
        )

    def build(folder: Path) -> None:
        on_event(f"fetching SwiftShader: {_PACKAGE} of Debian {_SUITE}")
        arch = str(_arch())
        archive = DebianArchive(folder=cache_dir / "debian" / f"{_SUITE}-{arch}", suite=_SUITE, arch=arch)
        unpacked = folder / "unpacked"
        unpacked.mkdir()
        wanted = (_DRIVER, _MANIFEST, _LOADER)
        for file in archive.download([_PACKAGE], into=folder, with_dependencies=False):
            unpack(file, unpacked, members=[f"{_FOLDER}/{name}" for name in wanted])
            file.unlink()
        for name in wanted:
            (unpacked / _FOLDER / name).replace(folder / name)
        shutil.rmtree(unpacked)

    folder = cached(cache_dir, _KIND, _recipe(), build, must_hold=(_DRIVER, _MANIFEST, _LOADER))
    return VulkanDriver(manifest=folder / _MANIFEST, loader=folder / _LOADER)


def software_gpu_missing() -> list[Missing]:
    """What this machine lacks to fetch and run the software GPU; empty means usable."""
    if _arch() is None:
        return [Missing(what="an x86-64 or aarch64 processor", remedy="run it on such a computer")]
    return [*missing_programs(("apt-get", "dpkg-deb", "tar")), *missing_keyring()]


def has_software_gpu(cache_dir: Path) -> bool:
    """Whether it is in the cache already."""
    return (cache_dir / _KIND / cache_key(_recipe()) / STAMP).exists()


def _arch() -> str | None:
    return _ARCHES.get(platform.machine())


def _recipe() -> dict[str, object]:
    return {"package": _PACKAGE, "suite": _SUITE, "arch": _arch()}
