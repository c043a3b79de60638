"""edgekit: compress a trained model for a device, deploy it there, and prove it there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_PUBLIC = {
    "compile": "edgekit.flows.api",
    "Bundle": "edgekit.bundle.pack",
    "Device": "edgekit.flows.api",
}

__all__ = ["Bundle", "Device", "__version__", "compile"]

if TYPE_CHECKING:
    from edgekit.bundle.pack import Bundle
    from edgekit.flows.api import Device, compile  # noqa: A004 -- the public name


def __getattr__(name: str) -> Any:
    """Import a public name on first use, so that `import edgekit` stays free of heavy modules."""
    if name not in _PUBLIC:
        raise AttributeError(f"module 'edgekit' has no attribute {name!r}")
    import importlib

    value = getattr(importlib.import_module(_PUBLIC[name]), name)
    globals()[name] = value
    return value
