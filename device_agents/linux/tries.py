"""How often in a row the activation of one release was cut off: what kills the device is not tried for ever."""

from __future__ import annotations

import json
import os
from contextlib import suppress

from device_agents.linux import durable
from device_agents.linux.errors import AgentError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from device_agents.linux.root import Root

MOST = 3
"""After so many the release counts as failed."""

_SCHEMA = "edgekit.tries/1"


def count(root: Root, digest: str) -> int:
    """Activations of this release that were cut off, since another one or a success; 0 for what cannot be read."""
    with suppress(OSError, ValueError, KeyError, TypeError, RecursionError):
        content = json.loads(durable.read_file(root.tries, 4096).decode("utf-8"))
        if content["schema"] == _SCHEMA and content["digest"] == digest:
            return int(content["tries"])
    return 0


def note(root: Root, digest: str) -> int:
    """Count one more; a disk that is full must not stop a recovery, so what cannot be written is not counted."""
    found = count(root, digest) + 1
    content = {"schema": _SCHEMA, "digest": digest, "tries": found}
    with suppress(OSError, AgentError):
        durable.replace(root.tries, json.dumps(content, sort_keys=True).encode() + b"\n")
    return found


def clear(root: Root) -> None:
    """Forget them, after a success."""
    with suppress(OSError):
        if os.path.lexists(root.tries):
            os.unlink(root.tries)
