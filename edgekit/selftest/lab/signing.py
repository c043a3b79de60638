"""A device that takes signed releases only, in experiments: its keys, and what is signed with them."""

from __future__ import annotations

from typing import Any

from edgekit.bundle.sign import SigningKey
from edgekit.bundle.statement import Audience, TrustPolicy, seal_release
from edgekit.selftest.lab.agent_process import AgentProcess, Release

DEVICE, GROUP = "lab", "bench"
KEY, OTHER_KEY = (SigningKey.from_seed(bytes([number]) * 32) for number in (1, 2))
AUDIENCE = Audience(kind="device", name=DEVICE)
GROUP_AUDIENCE = Audience(kind="group", name=GROUP)


def policy(serial: int = 1, *, key: SigningKey = KEY, **changes: Any) -> TrustPolicy:
    """The policy of the device."""
    return TrustPolicy(**{"serial": serial, "device": DEVICE, "groups": (GROUP,), "keys": (key.public,), **changes})


def trust(agent: AgentProcess, wanted: TrustPolicy, *signers: SigningKey) -> dict[str, Any]:
    """Have the device take a policy."""
    return agent.request("trust", policy=wanted.text(), envelope=wanted.sealed(signers or (KEY,)))


def signed(release: Release, counter: int, *, key: SigningKey = KEY, audience: Audience = AUDIENCE) -> str:
    """The envelope of a release."""
    return seal_release(release.manifest, audience, counter, key)


def deploy(
    agent: AgentProcess, release: Release, counter: int, *, key: SigningKey = KEY, audience: Audience = AUDIENCE
) -> dict[str, Any]:
    """Stage, sign and activate a release."""
    for data in release.files:
        agent.stage(data)
    envelope = signed(release, counter, key=key, audience=audience)
    return agent.request("activate", manifest=release.manifest, expect=None, envelope=envelope)
