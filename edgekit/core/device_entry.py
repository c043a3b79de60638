"""One device of the inventory: where it is, what it is, and why we believe that it is the one."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

BOARD_SCHEME = "qemu"
"""Scheme of the URLs of emulated microcontroller boards."""

LOCAL_NAME = "local"
"""This computer, always; no inventory and no emulator can give the name to another device."""


class Provenance(StrEnum):
    """How a device's host keys came to be trusted."""

    PINNED = "pinned"
    """A person compared the fingerprint."""
    KNOWN_HOSTS = "known_hosts"
    """They stand in OpenSSH's known_hosts of the user."""
    TOFU = "tofu"
    """Trusted on first use: nobody compared anything."""


@dataclass(frozen=True, kw_only=True)
class DeviceEntry:
    """One device.

    Attributes:
        name: what `--device` takes; the URL itself for a device that is in no inventory.
        url: e.g. "ssh://pi@raspberrypi.local:22", "local://" or "qemu://board".
        target: name of the kind of machine, None when nobody said.
        host_keys: pinned public keys as `type base64`; empty means that known_hosts decides.
        trust: where the host keys come from.
        identity_file: private key for this device; None means $EDGEKIT_KEY, then ~/.ssh/id_ed25519.
        labels: for `--label`, sorted.
        groups: for `--group`, sorted.
        signing_key: name of the key that signs releases for it; None for a device that takes unsigned ones.
        unsigned: whoever reaches it may have it run unsigned releases; somebody said that this is right.
        emulator: name of the emulator that brings the device up; None for a real one.
        bytes_per_s: most bytes to send to it a second; None is as many as the link takes.
    """

    name: str
    url: str
    target: str | None = None
    host_keys: tuple[str, ...] = ()
    trust: Provenance = Provenance.KNOWN_HOSTS
    identity_file: Path | None = None
    labels: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    signing_key: str | None = None
    unsigned: bool = False
    emulator: str | None = None
    bytes_per_s: int | None = None

    @property
    def is_emulated(self) -> bool:
        """Whether an emulator plays it: its times say nothing of the machine."""
        return self.emulator is not None or self.url.startswith(f"{BOARD_SCHEME}://")
