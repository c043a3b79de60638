"""Where emulators keep shared images and devices, unless the caller says otherwise."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs


def default_cache_dir() -> Path:
    """Shared images: `$EDGEKIT_CACHE_DIR/emulators`, else in the user's cache folder."""
    override = os.environ.get("EDGEKIT_CACHE_DIR")
    return (Path(override) if override else platformdirs.user_cache_path("edgekit")) / "emulators"


def default_state_dir() -> Path:
    """Devices: `$EDGEKIT_STATE_DIR/emulators`, else in the user's state folder."""
    override = os.environ.get("EDGEKIT_STATE_DIR")
    return (Path(override) if override else platformdirs.user_state_path("edgekit")) / "emulators"
