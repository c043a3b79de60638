"""Releases that were signed before the device is reached: once for a whole group, or on another computer."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from edgekit.bundle.statement import Audience, SignedRelease, read_release, seal_release
from edgekit.core.device_entry import DeviceEntry
from edgekit.core.digest import sha256_bytes
from edgekit.core.errors import VerificationError
from edgekit.device.keys import KeyStore
from edgekit.device.replies import Status
from edgekit.device.sealing import Seal
from edgekit.device.watermarks import Watermarks

if TYPE_CHECKING:
    from edgekit.device.control import ReleaseVerbs


def seal_for_group(
    manifests: Sequence[str],
    group: str,
    key: str,
    *,
    members: Collection[str],
    keys: KeyStore | None = None,
    watermarks: Watermarks | None = None,
) -> tuple[SignedRelease, ...]:
    """Sign releases for a group, one for each kind of device in it; all of them have the same counter.

    Args:
        manifests: canonical texts.
        group: name of the group.
        key: name of the key.
        members: names of all devices in the group, also of those that do not get the release now.
        keys: where the key lies.
        watermarks: what was seen of devices, and the counters that were given out.

    Raises:
        ConfigurationError: there is no such key.
        VerificationError: there is no counter left.
    """
    signer = (keys or KeyStore.find()).get(key)
    counter = (watermarks or Watermarks()).issue_for_group(group, members)
    audience = Audience(kind="group", name=group)
    return tuple(
        read_release(seal_release(manifest, audience, counter, signer), f"the envelope for {group}")
        for manifest in manifests
    )


class Presealed:
    """Gives a device the envelopes that are there already.

    Args:
        entry: the device.
        envelopes: one for each release that may be activated.
        own: signs for the device itself what no envelope is for, and where its floor lies above them; also brings its
            trust policy up to date. None where only the envelopes count.
        watermarks: what was seen of devices.
    """

    def __init__(
        self,
        entry: DeviceEntry,
        envelopes: Sequence[SignedRelease],
        *,
        own: Seal | None = None,
        watermarks: Watermarks | None = None,
    ) -> None:
        self._entry = entry
        self._envelopes = {one.manifest_sha256: one for one in envelopes}
        self._counter = min((one.counter for one in envelopes), default=None)
        self._own = own if own is not None and own.has_key else None
        self._watermarks = watermarks or Watermarks()

    def envelope(self, client: ReleaseVerbs, manifest: str) -> str:
        """The envelope of a release; see `Sealer`.

        Raises:
            VerificationError: no envelope is for this release, or the device would not take it.
        """
        digest = sha256_bytes(manifest.encode())
        signed = self._envelopes.get(digest)
        if self._own is not None:
            if signed is None:
                return self._own.envelope(client, manifest, counter=self._counter)  # a runtime, which comes before
            self._own.update(client)
        elif signed is None:
            raise _for_another(digest, self._envelopes)
        found = client.status()
        self._watermarks.check(self._entry.name, found)
        if self._own is not None and signed.counter < found.counter and found.active != digest:
            return self._own.envelope(client, manifest)
        require_taken(signed, self._entry.name, found)
        return signed.text

    def activated(self, client: ReleaseVerbs) -> None:
        """Remember what the device shows now; it has verified the envelopes, so their counters are in use."""
        self._watermarks.see(self._entry.name, client.status())
        for signed in self._envelopes.values():
            if signed.audience.kind == "group":
                self._watermarks.given(signed.audience.name, signed.counter, is_group=True)


def require_bundle(signed: SignedRelease, digest: str) -> None:
    """Refuse an envelope that was made for another bundle.

    Args:
        signed: the envelope.
        digest: of the bundle's manifest.

    Raises:
        VerificationError: it was.
    """
    if signed.manifest_sha256 != digest:
        raise _for_another(digest, [signed.manifest_sha256])


def require_taken(signed: SignedRelease, name: str, found: Status) -> None:
    """Refuse an envelope that the device would refuse. That nobody has tampered with it only the device can tell.

    Args:
        signed: for the release that is to be activated.
        name: what we call the device.
        found: what it says of itself.

    Raises:
        VerificationError: it is for others, by a key that the device does not trust, or below its floor.
    """
    trust = found.trust
    if trust is None:
        raise VerificationError(
            f"{name} trusts no key yet, so it takes no signed release",
            hint=f"where the key is: edgekit keys install KEY --device {name}",
        )
    audience = signed.audience
    if audience.name not in (trust.groups if audience.kind == "group" else (trust.device,)):
        groups = f"in the groups {', '.join(trust.groups)}" if trust.groups else "in no group"
        raise VerificationError(
            f"the envelope is for {audience}; {name} is the device {trust.device!r}, {groups}",
            hint=f"sign the bundle for it: edgekit keys sign BUNDLE --key KEY --device {trust.device}",
        )
    if strangers := set(signed.keys) - set(trust.keys):
        raise VerificationError(
            f"the envelope is signed by {', '.join(one[:16] for one in sorted(strangers))}, "
            f"{name} trusts {', '.join(one[:16] for one in trust.keys)}",
            hint="sign it with a key that the device trusts",
        )
    if signed.counter < found.counter and found.active != signed.manifest_sha256:
        raise VerificationError(
            f"the envelope has counter {signed.counter}, {name} takes {found.counter} or more",
            hint=f"sign the bundle again: edgekit keys sign BUNDLE --key KEY --counter {found.counter + 1}",
        )


def _for_another(digest: str, known: Collection[str]) -> VerificationError:
    listed = ", ".join(one[:16] for one in known)
    return VerificationError(
        f"the envelope is for the bundle {listed}, not for {digest[:16]}",
        hint="sign this one: edgekit keys sign BUNDLE. A runtime has to be on the device before, or be installed where "
        "the key is",
    )
