"""The device agent as one file: a zip that Python runs, the same bytes wherever it is built."""

from __future__ import annotations

import functools
import hashlib
import io
import zipfile
from importlib import resources
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from importlib.resources.abc import Traversable

_PACKAGES = ("device_agents", "device_agents/linux", "device_agents/linux/runners", "device_agents/mcu")
_NOT_SHIPPED = frozenset({"device_agents/linux/bootstrap.py", "device_agents/linux/installer.py"})
_EPOCH = (1980, 1, 1, 0, 0, 0)
_LEVEL = 9


@functools.cache
def build_agent() -> bytes:
    """The zipped agent; `python3 AGENT serve` runs it. Equal sources give equal bytes (with one zlib)."""
    sources = dict(_sources())
    sources["__main__.py"] = sources["device_agents/linux/__main__.py"]
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in sorted(sources):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.create_system = 3  # Unix, also when built on Windows
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, sources[name], zipfile.ZIP_DEFLATED, _LEVEL)
    return buffer.getvalue()


@functools.cache
def agent_digest() -> str:
    """sha256 of the agent: its name on devices."""
    return hashlib.sha256(build_agent()).hexdigest()


@functools.cache
def bootstrap_source() -> str:
    """The constant program for `python3 -I -c`, which takes the agent from stdin if the device does not have it."""
    return (_root() / "linux" / "bootstrap.py").read_text(encoding="utf-8")


@functools.cache
def installer_source() -> str:
    """The constant program for `python3 -I -c` that `device/harden.py` gives its orders to."""
    return (_root() / "linux" / "installer.py").read_text(encoding="utf-8")


def _sources() -> Iterator[tuple[str, bytes]]:
    for package in _PACKAGES:
        folder = _root().joinpath(*package.split("/")[1:])
        for file in folder.iterdir():
            name = f"{package}/{file.name}"
            if file.name.endswith(".py") and name not in _NOT_SHIPPED:
                yield name, file.read_bytes()


def _root() -> Traversable:
    return resources.files("device_agents")
