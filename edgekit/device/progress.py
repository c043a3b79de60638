"""The agent's events, as those of a flow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgekit.core.events import Event, OnEvent
from edgekit.device.session import OnAgentEvent


def listener(phase: str, on_event: OnEvent) -> OnAgentEvent:
    """A listener that turns the agent's progress events and warnings into ours.

    Args:
        phase: for an event that names none.
        on_event: hears of them.
    """

    def listen(message: Mapping[str, Any]) -> None:
        if message.get("event") == "warning":
            on_event(Event(phase="warning", message=str(message.get("message"))))
        if message.get("event") != "progress":
            return
        name, done, total = message.get("phase"), message.get("done"), message.get("total")
        if isinstance(name, str) and type(done) is int and (total is None or type(total) is int):
            on_event(Event(phase=name or phase, message=name or phase, done=done, total=total))

    return listen
