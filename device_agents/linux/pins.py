"""Pinned releases: those that no clean-up removes."""

from __future__ import annotations

from device_agents.linux.errors import AgentError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from device_agents.linux.state import State

_MOST = 64


def changed(stored: State, digest: str, pinned: bool) -> list[str]:
    """The pinned releases, in the order in which they were pinned, with or without this one.

    Raises:
        AgentError: E_INPUT for a release that was never active here, or one too many.
    """
    others = [one for one in stored.pinned if one != digest]
    if not pinned:
        return others
    if digest not in stored.history and digest not in stored.pinned:
        raise AgentError("E_INPUT", f"{digest} was never active here, or is collected", "deploy it")
    if len(others) >= _MOST:
        raise AgentError("E_INPUT", f"{len(others)} releases are pinned already", "unpin one: edgekit devices unpin")
    return [*others, digest]
