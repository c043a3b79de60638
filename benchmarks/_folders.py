"""Folders of a benchmark's own, so that nothing of the user's is read, written or found warm by chance."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import platformdirs

ROOT = Path(__file__).resolve().parents[1]
_PROGRAM = Path(sys.executable).with_name("edgekit")
EDGEKIT = [str(_PROGRAM)] if _PROGRAM.exists() else [sys.executable, "-m", "edgekit.cli"]
_SHARED_CACHES = ("emulators", "wheels", "zig")
"""Downloads, machine images and zig's own library: to build them again would measure the network, or zig."""


@contextmanager
def own_folders() -> Iterator[Path]:
    """A scratch folder; while the block runs, edgekit keeps everything in it.

    Python's own switches are taken out of the environment too: where no bytecode may be kept
    (PYTHONDONTWRITEBYTECODE), every start would compile edgekit anew.
    """
    before = dict(os.environ)
    with tempfile.TemporaryDirectory(prefix="edgekit-bench-") as name:
        folder = Path(name)
        for variable in [key for key in os.environ if key.startswith(("EDGEKIT_", "PYTHON"))]:
            del os.environ[variable]
        for kind in ("STATE", "DATA", "CONFIG"):
            os.environ[f"EDGEKIT_{kind}_DIR"] = str(folder / kind.lower())
        os.environ["EDGEKIT_KNOWN_HOSTS"] = str(folder / "known_hosts")
        os.environ["EDGEKIT_LOCAL_ROOT"] = str(folder / "local-device")
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
        fresh_cache(folder)
        try:
            yield folder
        finally:
            os.environ.clear()
            os.environ.update(before)


def fresh_cache(folder: Path) -> None:
    """From now on edgekit's cache holds no artifact."""
    cache = Path(tempfile.mkdtemp(prefix="cache-", dir=folder))
    lasting = platformdirs.user_cache_path("edgekit")
    for name in _SHARED_CACHES:
        (lasting / name).mkdir(parents=True, exist_ok=True)
        (cache / name).symlink_to(lasting / name)
    os.environ["EDGEKIT_CACHE_DIR"] = str(cache)


def quickstart() -> Path:
    """A folder with quickstart.keras, train.npz and test.npz; trained at the first use, then kept in build/."""
    folder = ROOT / "build" / "bench"
    if not (folder / "quickstart.keras").is_file():
        script = ROOT / "examples" / "quickstart" / "train.py"
        subprocess.run([sys.executable, str(script), str(folder)], check=True, capture_output=True, timeout=600)
    return folder


def edgekit(*arguments: object) -> dict[str, Any]:
    """Run a command with --json; its document.

    Raises:
        RuntimeError: it failed.
    """
    command = [*EDGEKIT, *map(str, arguments), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=1800, check=False)
    if done.returncode:
        raise RuntimeError(f"edgekit {' '.join(map(str, arguments))} ended with {done.returncode}:\n{done.stderr}")
    document: dict[str, Any] = json.loads(done.stdout)
    return document
