"""Emulated devices that answer over real SSH: one file per backend, each defining EMULATOR."""

from edgekit.emulators._base import Emulator
from edgekit.emulators._paths import default_cache_dir, default_state_dir
from edgekit.emulators._prune import CachedImage, prune
from edgekit.emulators._records import list_devices, read_record
from edgekit.emulators._select import Choice, best_backend, emulator, emulators
from edgekit.emulators._types import EmulatedDevice, MachineSpec, Missing, StartedBy

__all__ = [
    "CachedImage",
    "Choice",
    "EmulatedDevice",
    "Emulator",
    "MachineSpec",
    "Missing",
    "StartedBy",
    "best_backend",
    "default_cache_dir",
    "default_state_dir",
    "emulator",
    "emulators",
    "list_devices",
    "prune",
    "read_record",
]
