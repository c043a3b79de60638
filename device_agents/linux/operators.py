"""Time of each operator, taken in processes of their own: what profiles a model also slows it down."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from device_agents.linux.worker import Outcome

_PROCESSES = 3


def measure(start: Callable[[], Outcome]) -> dict[str, Any]:
    """Profile in fresh processes; called by the agent.

    Args:
        start: runs the job `operators` in a child.

    Returns:
        `operators`: {name, op, ns} of each in the order in which they run, `ns` with one time a process; and
        `operators_reason`: None unless there are none.
    """
    profiles: list[list[dict[str, Any]]] = []
    for _ in range(_PROCESSES):
        outcome = start()
        if outcome.result is None:
            return _unknown(str(outcome.child["message"]))
        profiles.append(outcome.result["operators"])
    first = _names(profiles[0])
    if any(_names(profile) != first for profile in profiles):
        return _unknown("two processes ran different operators")
    rows = zip(*profiles)  # noqa: B905  # zip(strict=) came with Python 3.10
    found = [dict(same[0], ns=[operator["ns"] for operator in same]) for same in rows]
    return {"operators": found, "operators_reason": None}


def _names(profile: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(operator["name"], operator["op"]) for operator in profile]


def _unknown(reason: str) -> dict[str, Any]:
    return {"operators": [], "operators_reason": reason}
