"""The native runner of .pte programs for this computer: what devices get, and ten times faster to start than torch."""

from __future__ import annotations

import importlib.util
import os
import zipfile
from importlib import metadata
from pathlib import Path

from edgekit.core.errors import UnsupportedError
from edgekit.device import native


def native_runner(folder: Path) -> Path:
    """A folder with the package, for a child's path; built against ExecuTorch as it is installed here, then cached.

    Args:
        folder: empty.

    Raises:
        UnsupportedError: ExecuTorch or a C++ compiler is not installed.
        DeadlineError, StorageError: see `native.build`.
    """
    found = importlib.util.find_spec("executorch")
    if found is None or not found.submodule_search_locations:
        raise UnsupportedError("executorch is not installed", hint="pip install 'edgekit-deploy[torch]'")
    installed = Path(found.submodule_search_locations[0])
    machine = os.uname().machine
    version = metadata.version("executorch")
    wheel = folder / f"executorch-{version}-cp311-cp311-linux_{machine}.whl"
    folder.mkdir(parents=True)
    with zipfile.ZipFile(wheel, "w") as archive:
        for part in ("include", "lib"):
            for file in sorted((installed / part).rglob("*")):
                archive.write(file, file.relative_to(installed.parent))
    built = native.build("pte_runner", wheel, machine)
    wheel.unlink()
    with zipfile.ZipFile(built) as archive:
        archive.extractall(folder)  # our own archive
    return folder
