"""The verbs that decide which release a device runs, keeps and lets others change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgekit.core.events import OnEvent, ignore
from edgekit.device.fields import Fields
from edgekit.device.progress import listener
from edgekit.device.replies import Activation, Collection, Lease, Rollback, Status
from edgekit.device.session import Session
from edgekit.device.trust_facts import TrustFacts

if TYPE_CHECKING:
    from edgekit.device.sealing import Sealer


@dataclass(frozen=True, kw_only=True)
class Terms:
    """On what terms a device makes a release active.

    Attributes:
        confirm_within_s: it goes back by itself unless `confirm` comes in so many seconds; None means no trial.
        health: names of commands that the device's owner has put there, all of which have to succeed.
        health_s: limit of each of them; None means the device's own, 30 s.
        retry: also if the release has failed there before.
    """

    confirm_within_s: float | None = None
    health: tuple[str, ...] = ()
    health_s: float | None = None
    retry: bool = False

    def as_json(self) -> dict[str, object]:
        """The parameters of `activate` in docs/protocol.md."""
        return {
            "confirm_s": self.confirm_within_s,
            "health": list(self.health) or None,
            "health_s": self.health_s,
            "retry": self.retry,
        }


class ReleaseVerbs:
    """What a DeviceClient can ask of a device's releases.

    Attributes:
        token: of the lease that requests go under; None without one.
    """

    _session: Session
    _seal: Sealer | None = None

    @property
    def token(self) -> int | None:
        """See the class."""
        return self._session.token

    @token.setter
    def token(self, token: int | None) -> None:
        self._session.token = token

    @property
    def is_sealed(self) -> bool:
        """Whether what is activated gets an envelope."""
        return self._seal is not None

    def seal_with(self, seal: Sealer) -> None:
        """Have what is activated from now on sealed by this, whatever the device's entry says."""
        self._seal = seal

    def status(self, *, manifest: str | None = None) -> Status:
        """What is on the device now.

        Args:
            manifest: "active" asks for the text of the active release's manifest too.
        """
        return Status.parse(Fields(self._session.request("status", {"manifest": manifest}).result, "status"))

    def activate(
        self,
        manifest: str,
        *,
        expect: str | None = None,
        envelope: str | None = None,
        terms: Terms | None = None,
        on_event: OnEvent = ignore,
    ) -> Activation:
        """Make a staged release the active one (or unpack a runtime); old or new, never in between.

        Args:
            manifest: its canonical text.
            expect: refuse unless this manifest is active now; None means any.
            envelope: the signed statement about it; None has it made where the device has a signing key.
            terms: whether it has to be confirmed, and what else has to be content with it.
            on_event: hears of the phases.

        Raises:
            VerificationError: a blob or the golden run is not what the manifest says; the old release stays.
            RolledBackError: the health check failed after the switch, and the old release is active again; or this
                release failed there before.
            LockedError: someone else is at it, or another release is on trial.
        """
        if envelope is None and self._seal is not None:
            envelope = self._seal.envelope(self, manifest)
        params = {"manifest": manifest, "expect": expect, "envelope": envelope, **(terms or Terms()).as_json()}
        reply = self._session.request("activate", params, on_event=listener("activate", on_event))
        activation = Activation.parse(Fields(reply.result, "activate"))
        if self._seal is not None:
            self._seal.activated(self)
        return activation

    def confirm(self, digest: str) -> Rollback:
        """End the trial of the active release: it stays.

        Args:
            digest: of its manifest.

        Raises:
            RolledBackError: the device has gone back already.
            InputError: the release was never on trial there.
        """
        return _links(self._session.request("confirm", {"digest": digest}).result, "confirm")

    def refuse(self, digest: str, reason: str) -> Rollback:
        """End the trial of the active release: the device goes back, if it has not done so already.

        Args:
            digest: of its manifest.
            reason: for the device's list of failed releases.

        Raises:
            RolledBackError: the device has gone back already.
            InputError: the release was never on trial there.
        """
        params = {"digest": digest, "refuse": reason[:500] or "no reason"}
        return _links(self._session.request("confirm", params).result, "confirm")

    def rollback(self, to: str | None = None) -> Rollback:
        """Make an earlier release the active one; ends a trial.

        Args:
            to: digest of its manifest; None means the previous one.
        """
        return _links(self._session.request("rollback", {"to": to}).result, "rollback")

    def pin(self, digest: str, *, pinned: bool = True) -> tuple[str, ...]:
        """Have a release survive every clean-up, or no longer; returns all pinned ones.

        Raises:
            InputError: it was never active there, or too many are pinned.
        """
        params = {"digest": digest, "pinned": pinned}
        return Fields(self._session.request("pin", params).result, "pin").digests("pinned")

    def trust(self, policy: str, envelope: str) -> TrustFacts:
        """Have the device believe the keys of a policy from now on.

        Args:
            policy: its canonical text.
            envelope: signed by a key that the device trusts now, if it trusts any, and by one of the policy.

        Raises:
            VerificationError: the device refuses it.
        """
        params = {"policy": policy, "envelope": envelope}
        return TrustFacts.parse(Fields(self._session.request("trust", params).result, "trust"))

    def lease(self, owner: str, *, ttl_s: float = 60.0) -> Lease:
        """Have the device for ourselves, or go on having it; later requests of this client go under it.

        Args:
            owner: whom the others are told.
            ttl_s: how long, from now on.

        Raises:
            LockedError: another lease holds, or ours has gone to someone else.
        """
        params = {"owner": owner, "ttl_s": ttl_s, "token": self.token}
        found = Lease.parse(Fields(self._session.request("lease", params).result, "lease"), owner=owner)
        self.token = found.token
        return found

    def release_lease(self) -> None:
        """Give the device back; without a lease nothing happens.

        Raises:
            LockedError: the lease has gone to someone else already.
        """
        token, self.token = self.token, None
        if token is not None:
            self._session.request("lease", {"release": True, "token": token})

    def collect(self, *, keep: int = 3, data: bool = False) -> Collection:
        """Remove releases that are neither active nor previous.

        Args:
            keep: this many of the latest stay in any case.
            data: remove every blob that no release needs, staged data sets and cut uploads too.
        """
        fields = Fields(self._session.request("collect", {"keep": keep, "data": data}).result, "collect")
        return Collection(removed=fields.digests("removed"), freed_bytes=fields.integer("freed_bytes"))


def _links(result: object, where: str) -> Rollback:
    fields = Fields(result, where)
    return Rollback(active=fields.optional_digest("active"), previous=fields.optional_digest("previous"))
