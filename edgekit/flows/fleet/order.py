"""What the devices of a fleet get, and what has to hold there: a value that another computer can be given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from edgekit.bundle.pack import Bundle
from edgekit.bundle.statement import SignedRelease
from edgekit.core.device_entry import DeviceEntry
from edgekit.core.events import OnEvent, ignore
from edgekit.core.measurement import Accuracy, Score
from edgekit.core.target import Target
from edgekit.device.client import DeviceClient
from edgekit.device.connect import connect
from edgekit.device.control import Terms
from edgekit.flows.deploy import Proof
from edgekit.flows.judging import Judged

Connect = Callable[[DeviceEntry], DeviceClient]


@dataclass(frozen=True, kw_only=True)
class Release:
    """What devices of one kind get.

    Attributes:
        bundle: compiled for them.
        target: their kind, with the budgets that they are held to.
        reference: the float model on the proof's samples; None compares with nothing.
        host: what the artifact reached on this computer; None if nobody looked.
    """

    bundle: Bundle
    target: Target
    reference: Judged | None = None
    host: Accuracy | Score | None = None


@dataclass(frozen=True, kw_only=True)
class Order:
    """What is to be done on each device.

    Attributes:
        releases: by the name of the target.
        proof: what is proven there.
        min_accuracy: least accuracy (or metric) by the device's own answers; None for no such limit.
        terms: on what terms devices take the release; None for the usual ones.
        envelopes: by the name of the device, what was signed for its group, or elsewhere; others are signed for alone.
        owner: whom others are told who want a device meanwhile.
        lease_s: how long a device stays ours when we are gone.
        offline: download no runtime.
        connect: from an entry to a client.
        on_event: listener, called by several threads.
    """

    releases: Mapping[str, Release]
    proof: Proof
    min_accuracy: float | None = None
    terms: Terms | None = None
    envelopes: Mapping[str, tuple[SignedRelease, ...]] = field(default_factory=dict)
    owner: str = "a fleet deploy"
    lease_s: float = 30.0
    offline: bool = False
    connect: Connect = connect
    on_event: OnEvent = ignore
