"""state.json: what the device believes about its releases, and its reading when it is damaged.

The rollback floor lies in a file of its own too, so that the loss of state.json does not let older releases in.
"""

from __future__ import annotations

import errno
import json
import os
from contextlib import suppress

from device_agents.linux import durable, protocol
from device_agents.linux.errors import AgentError
from device_agents.linux.record import asdict, dataclass, field
from device_agents.linux.root import is_digest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

SCHEMA = "edgekit.state/1"
_FLOOR_SCHEMA = "edgekit.floor/1"
_LIMIT = 1024 * 1024
_NOT_OURS = (errno.ELOOP, errno.EISDIR, errno.EFBIG, errno.ENXIO)
"""A link, a folder, a file that is too long, a socket: nothing that an agent has written."""

_MAX_HISTORY = 64
_MAX_FAILED = 32


class DamagedError(Exception):
    """state.json is there but says nothing that can be used."""


@dataclass(frozen=True)
class State:
    """The content of state.json.

    Attributes:
        active: digest of the committed release; `current` points to it unless `pending` is set.
        previous: the release to go back to.
        pending: `{digest, boot_id, tries, counter, nonce}` of a switch that has begun and is not committed; with
            `until` it is on trial, with `health` and `health_s` there are commands to tell of its end.
        pinned: releases that collect keeps.
        rollback_floor: the highest counter that was ever committed; activate takes nothing below.
        failed: reasons by digest, for releases that did not pass.
        runtimes: the result of the last probe.
        history: digests of committed model releases, newest first.
        bundles: digests of installed runtime bundles, newest first.
    """

    active: str | None = None
    previous: str | None = None
    pending: dict[str, Any] | None = None
    pinned: list[str] = field(default_factory=list)
    rollback_floor: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    runtimes: dict[str, Any] = field(default_factory=dict)
    history: list[str] = field(default_factory=list)
    bundles: list[str] = field(default_factory=list)


def front(digest: str, digests: list[str]) -> list[str]:
    """`digests` with `digest` moved or added to the front; very old entries fall off."""
    return [digest, *(other for other in digests if other != digest)][:_MAX_HISTORY]


def with_failure(failed: dict[str, str], digest: str, reason: str) -> dict[str, str]:
    """`failed` with one more reason; very old entries fall off."""
    kept = [item for item in failed.items() if item[0] != digest][-_MAX_FAILED + 1 :]
    return dict([*kept, (digest, reason[:500])])


def load(path: str) -> State | None:
    """Read state.json; None when there is none.

    Raises:
        DamagedError: it is not what this agent, or an older one, has written.
        AgentError: E_CONFIG when a newer agent has written it: then nothing may be touched.
    """
    try:
        raw = durable.read_file(path, _LIMIT)
    except FileNotFoundError:
        return None
    except OSError as cause:
        if cause.errno not in _NOT_OURS:
            raise  # a disk that cannot tell now may tell later; what it holds is not lost
        raise DamagedError(f"{path}: {cause.strerror}") from cause
    try:
        content = json.loads(raw.decode("utf-8"))
        schema = content.pop("schema")
        family, _, version = schema.partition("/")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as cause:
        raise DamagedError(f"{path} is not JSON of ours") from cause
    if family == "edgekit.state" and version.isdigit() and int(version) > 1:
        raise AgentError(
            "E_CONFIG",
            f"{path} is {schema}, written by a newer edgekit; this one knows {SCHEMA}",
            "use the newer edgekit for this device",
            schema=schema,
            path=path,
        )
    try:
        state = State(**content)
    except TypeError as cause:
        raise DamagedError(f"{path} has fields that do not belong there") from cause
    if schema != SCHEMA or not _is_sound(state):
        raise DamagedError(f"{path} has values that cannot be")
    return state


def save(path: str, state: State) -> None:
    """Write state.json durably, and after it the floor's own file if the floor has risen: it never runs ahead."""
    _write(path, dict(asdict(state), schema=SCHEMA))
    if state.rollback_floor > recorded_floor(path):
        reset_floor(path, state.rollback_floor)


def reset_floor(path: str, floor: int) -> None:
    """Write the file of the floor, also when it is lower than before; state.json has it already."""
    _write(_floor_path(path), {"schema": _FLOOR_SCHEMA, "rollback_floor": floor})


def recorded_floor(path: str) -> int:
    """The rollback floor that lies beside state.json; 0 when its file is not there or says nothing that can be used."""
    with suppress(OSError, ValueError, KeyError, TypeError, RecursionError):
        content = json.loads(durable.read_file(_floor_path(path), _LIMIT).decode("utf-8"))
        if content["schema"] == _FLOOR_SCHEMA and _is_count(content["rollback_floor"]):
            return int(content["rollback_floor"])
    return 0


def _floor_path(path: str) -> str:
    return os.path.join(os.path.dirname(path), "floor.json")


def _write(path: str, content: dict[str, Any]) -> None:
    durable.replace(path, json.dumps(content, sort_keys=True, indent=1).encode() + b"\n")


def _is_sound(state: State) -> bool:
    one = all(value is None or is_digest(value) for value in (state.active, state.previous))
    lists = all(
        isinstance(value, list) and all(map(is_digest, value)) for value in (state.pinned, state.history, state.bundles)
    )
    pending = state.pending is None or (isinstance(state.pending, dict) and is_digest(state.pending.get("digest")))
    tables = isinstance(state.failed, dict) and isinstance(state.runtimes, dict)
    return one and lists and pending and tables and _is_count(state.rollback_floor) and not _has_constants(state)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _has_constants(state: State) -> bool:
    """Whether NaN or Infinity crept in, which no answer could carry."""
    try:
        protocol.encode_message({"runtimes": state.runtimes})
    except (ValueError, protocol.FrameError):
        return True
    return False
