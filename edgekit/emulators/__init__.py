"""Emulated devices that answer over real SSH: one file per backend, each defining EMULATOR."""

from edgekit.emulators._architecture import debian_name
from edgekit.emulators._base import Emulator
from edgekit.emulators._paths import default_cache_dir, default_state_dir
from edgekit.emulators._preinstalled import user_land
from edgekit.emulators._prune import CachedImage, prune
from edgekit.emulators._records import list_devices, read_record
from edgekit.emulators._select import Choice, best_backend, emulator, emulators
from edgekit.emulators._software_gpu import VulkanDriver, has_software_gpu, software_gpu, software_gpu_missing
from edgekit.emulators._types import EmulatedDevice, MachineSpec, Missing, StartedBy, UserLand

__all__ = [
    "CachedImage",
    "Choice",
    "EmulatedDevice",
    "Emulator",
    "MachineSpec",
    "Missing",
    "StartedBy",
    "UserLand",
    "VulkanDriver",
    "best_backend",
    "debian_name",
    "default_cache_dir",
    "default_state_dir",
    "emulator",
    "emulators",
    "has_software_gpu",
    "list_devices",
    "prune",
    "read_record",
    "software_gpu",
    "software_gpu_missing",
    "user_land",
]
