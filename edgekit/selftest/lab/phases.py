"""Where in the bytes of a connection its phases lie, so that a fault can strike in each of them."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

from edgekit.core.errors import InternalError
from edgekit.device.client import DeviceClient
from edgekit.device.session import AgentProgram
from edgekit.selftest.lab.fault_proxy import Fault, FaultProxy
from edgekit.selftest.lab.ssh_device import SshDevice
from edgekit.transports import Limits
from edgekit.transports.ssh import SshTransport

BLOB_BYTES = 3 * 1024 * 1024
_INTO_THE_BLOB = 1024 * 1024
_INTO_THE_BANNER, _INTO_THE_REPLY = 8, 100


@dataclass(frozen=True, kw_only=True)
class Place:
    """A phase, and the middle of it, as a fault takes it: bytes that still pass.

    Attributes:
        phase: its name.
        after_up, after_down: one of them.
    """

    phase: str
    after_up: int | None = None
    after_down: int | None = None

    def fault(self, what: Fault) -> Fault:
        """A fault that strikes there."""
        return replace(what, after_up=self.after_up, after_down=self.after_down)


def use(client: DeviceClient, chance: random.Random) -> None:
    """What a connection of the experiment does: log in, start the agent, ask, send a new file."""
    with client:
        client.status()
        client.stage(chance.randbytes(BLOB_BYTES))


def places(device: SshDevice, limits: Limits, program: AgentProgram) -> tuple[Place, ...]:
    """The phases of a connection over SSH, found by looking at a good one."""
    with FaultProxy(device.port) as proxy, device.transport(port=proxy.port, limits=limits) as transport:
        logged_in = proxy.bytes_up
        transport.start(program.bootstrap)
        started = proxy.bytes_up
    with FaultProxy(device.port) as proxy:
        transport = device.transport(port=proxy.port, limits=limits)
        if not isinstance(transport, SshTransport):
            raise InternalError(f"{type(transport).__name__} has no key exchange to look at")
        transport.scan()
        keys_up, keys_down = proxy.bytes_up, proxy.bytes_down
    with FaultProxy(device.port) as proxy, device.client(port=proxy.port, limits=limits, program=program) as client:
        client.status()
        greeted_down = proxy.bytes_down
        client.status()
        asked_up, answered = proxy.bytes_up, proxy.bytes_down
    if answered - greeted_down < 2 * _INTO_THE_REPLY:
        raise InternalError(f"an answer of {answered - greeted_down} bytes is too short to be broken")
    return (
        Place(phase="banner", after_down=_INTO_THE_BANNER),
        Place(phase="key exchange", after_down=keys_down // 2),
        Place(phase="authentication", after_up=(keys_up + logged_in) // 2),
        Place(phase="channel", after_up=(logged_in + started) // 2),
        Place(phase="transfer", after_up=asked_up + _INTO_THE_BLOB),
        Place(phase="reply", after_down=greeted_down - _INTO_THE_REPLY),
    )
