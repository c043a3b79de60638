"""Signing for a device: its trust policy is brought up to date, then what is to be activated gets an envelope."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from edgekit.bundle.sign import SigningKey
from edgekit.bundle.statement import Audience, TrustPolicy, seal_release
from edgekit.core.device_entry import DeviceEntry
from edgekit.core.errors import ConfigurationError, VerificationError
from edgekit.core.registry import TRANSPORTS
from edgekit.device.keys import KeyStore
from edgekit.device.replies import Status
from edgekit.device.trust_facts import TrustFacts
from edgekit.device.watermarks import Watermarks
from edgekit.transports import Endpoint

if TYPE_CHECKING:
    from edgekit.device.control import ReleaseVerbs


def require_signature(entry: DeviceEntry) -> None:
    """Refuse a real device of which nobody said whether its releases are signed.

    This computer, emulated devices and boards take unsigned releases; they belong to whoever deploys.

    Raises:
        ConfigurationError: it has neither a signing key nor `unsigned = true`.
    """
    if entry.signing_key is not None or entry.unsigned or entry.is_emulated:
        return
    if TRANSPORTS.load(Endpoint.parse(entry.url).scheme).is_remote:
        raise ConfigurationError(
            f"nobody said whether releases for {entry.name} are signed",
            hint=f"--sign-key KEY, or edgekit devices add NAME {entry.url} (unsigned unless you give --signing-key)"
            if "://" in entry.name
            else f"edgekit keys install KEY --device {entry.name}, or unsigned = true in devices.toml",
        )


class Sealer(Protocol):
    """What gives a release its envelope."""

    def envelope(self, client: ReleaseVerbs, manifest: str) -> str:
        """The envelope of a release for the device, which is ready for it then.

        Args:
            client: connected to the device.
            manifest: canonical text.

        Raises:
            ConfigurationError: there is no such key.
            VerificationError: the device would refuse the release, or has gone back since it was last seen.
        """

    def activated(self, client: ReleaseVerbs) -> None:
        """Remember what the device shows now."""


class Seal:
    """Signs for one device.

    Args:
        entry: names the device, its groups and the key.
        keys: where the key lies.
        watermarks: what was seen of devices.
    """

    def __init__(
        self, entry: DeviceEntry, *, keys: KeyStore | None = None, watermarks: Watermarks | None = None
    ) -> None:
        if entry.signing_key is None:
            raise ConfigurationError(f"{entry.name} has no signing key", hint="edgekit keys install KEY --device NAME")
        self._entry = entry
        self._keys = keys or KeyStore.find()
        self._name = entry.signing_key
        self._watermarks = watermarks or Watermarks()

    @property
    def has_key(self) -> bool:
        """Whether the key lies on this computer."""
        return self._name in self._keys.names()

    def envelope(self, client: ReleaseVerbs, manifest: str, *, counter: int | None = None) -> str:
        """The envelope of a release for the device, which trusts our key from now on if it trusted nobody.

        Args:
            client: connected to the device.
            manifest: canonical text.
            counter: one that was given out for a release which goes there now too; None, and one below the floor, take
                a new one.

        Raises:
            ConfigurationError: there is no such key.
            VerificationError: the device trusts other keys, or has gone back since it was last seen.
        """
        floor = self.update(client).counter
        if counter is None or counter < floor:
            counter = self._watermarks.issue(self._entry.name, floor, groups=self._entry.groups)
        audience = Audience(kind="device", name=self._entry.name)
        return seal_release(manifest, audience, counter, self._keys.get(self._name))

    def update(self, client: ReleaseVerbs) -> Status:
        """Have the device trust our key and no other; one that has gone back since it was last seen is refused.

        Raises:
            ConfigurationError, VerificationError: as for `envelope`.
        """
        found = client.status()
        self._watermarks.check(self._entry.name, found)
        self._align(client, found)
        return found

    def activated(self, client: ReleaseVerbs) -> None:
        """Remember what the device shows now."""
        self._watermarks.see(self._entry.name, client.status())

    def install(self, client: ReleaseVerbs, *, floor: int | None = None) -> Status:
        """Have the device trust our key and no other, whatever was seen of it before.

        Args:
            client: connected to the device.
            floor: the rollback floor that it shall have; None leaves it.

        Raises:
            VerificationError: the device trusts keys that we do not have.
        """
        self._align(client, client.status(), floor=floor)
        found = client.status()
        self._watermarks.accept(self._entry.name, found, issued=floor)
        return found

    def _align(self, client: ReleaseVerbs, found: Status, *, floor: int | None = None) -> None:
        """Give the device a policy with our key alone; nothing is sent when it has that."""
        name, entry, present = self._entry.name, self._entry, found.trust
        key = self._keys.get(self._name)
        signers = [key]
        if present is not None:
            if present.device != name:
                raise VerificationError(
                    f"{name} knows itself as {present.device}",
                    hint="give it this name in devices.toml, or remove trust.json on the device itself",
                )
            is_same = (present.keys, present.groups, present.unsigned) == (
                (key.public.id,),
                entry.groups,
                entry.unsigned,
            )
            if is_same and floor is None:
                return
            signers = _signers(present, key, self._keys, name)
        serial = max(self._watermarks.get(name).serial, 0 if present is None else present.serial) + 1
        policy = TrustPolicy(
            serial=serial,
            device=name,
            groups=entry.groups,
            keys=[key.public],
            unsigned=entry.unsigned,
            floor=floor,
        )
        client.trust(policy.text(), policy.sealed(signers))


def seal_for(entry: DeviceEntry) -> Seal | None:
    """What signs for a device, None for one that has no signing key."""
    return None if entry.signing_key is None else Seal(entry)


def _signers(found: TrustFacts, key: SigningKey, keys: KeyStore, device: str) -> list[SigningKey]:
    """The keys that have to sign a policy: ours, and one that the device trusts now."""
    if key.public.id in found.keys:
        return [key]
    before = keys.having(found.keys)
    if before is None:
        listed = ", ".join(name[:16] for name in found.keys)
        raise VerificationError(
            f"{device} trusts the key {listed}, not {key.public.id[:16]}",
            hint="sign with that key, or, if it is lost, remove trust.json on the device itself",
        )
    return [key, before]
