"""What a rollout tells while it works: events of single devices, one at a time however many threads there are."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from edgekit.core.events import Event, OnEvent
from edgekit.flows.fleet.member import State


@dataclass(frozen=True, kw_only=True)
class DeviceEvent(Event):
    """Progress on a device.

    Attributes:
        device: its name.
        state: where it ended; None while it is worked on.
    """

    device: str
    state: State | None = None


def one_at_a_time(on_event: OnEvent) -> OnEvent:
    """A listener that may be called by several threads, for one that may not."""
    lock = threading.Lock()

    def listen(event: Event) -> None:
        with lock:
            on_event(event)

    return listen
