"""Whom the device believes: its trust policy, what a signed release has to say, and how a policy follows another.

ROOT/trust.json is written by the verb `trust` alone. Without it a device takes what its user sends; with it nothing is
parsed before the signature of a key in it was verified. There is no date in it: a device may not know the time, so
serial and counter say what is newer.
"""

from __future__ import annotations

import hashlib
import json

from device_agents.linux import durable, ed25519, envelope, protocol, releases
from device_agents.linux.errors import AgentError
from device_agents.linux.record import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from device_agents.linux.root import Root
    from device_agents.linux.state import State

SCHEMA = "edgekit.trust/1"
POLICY_TYPE = "application/vnd.edgekit.trust+json"
RELEASE_SCHEMA = "edgekit.release/1"
RELEASE_TYPE = "application/vnd.edgekit.release+json"
MAX_COUNTER = 2**63 - 1
_MAX_NAME = 256
_MAX_LISTED = 64


@dataclass(frozen=True)
class Policy:
    """The content of trust.json.

    Attributes:
        serial: rises with each policy.
        device: the name under which releases are signed for this device.
        groups: names under which releases are signed for it and others.
        keys: 32 bytes each, by their digest.
        unsigned: unsigned releases are taken too, and staged models may run.
        floor: the rollback floor becomes this number when the policy is taken; None leaves it.
    """

    serial: int
    device: str
    groups: list[str]
    keys: dict[str, bytes]
    unsigned: bool
    floor: int | None

    def facts(self) -> dict[str, Any]:
        """What `status` tells."""
        return {
            "serial": self.serial,
            "device": self.device,
            "groups": self.groups,
            "keys": sorted(self.keys),
            "unsigned": self.unsigned,
        }


def load(root: Root) -> Policy | None:
    """The device's policy, None when it has none.

    Raises:
        AgentError: E_CONFIG when trust.json is damaged: then nothing is trusted, whatever it was.
    """
    try:
        return _policy(durable.read_file(root.trust, envelope.MAX_BYTES))
    except FileNotFoundError:
        return None
    except (AgentError, OSError) as cause:
        raise AgentError(
            "E_CONFIG",
            f"{root.trust} cannot be read: {cause}",
            "remove it on the device itself; then its keys can be installed again",
            path=root.trust,
        ) from cause


def admit(root: Root, text: object, signed: object, state: State) -> int | None:
    """Decide whether a release may be looked at; in this order: signature, audience, counter, size and digest.

    Args:
        root: where the policy lies.
        text: the manifest; not parsed here.
        signed: its envelope, or None.
        state: what is active, and the rollback floor.

    Returns:
        The counter of the release; None for one that need not be signed.

    Raises:
        AgentError: E_VERIFY when it is refused, E_CONFIG when it is signed for a device that has no keys.
    """
    policy = load(root)
    if signed is None:
        if policy is None or policy.unsigned:
            return None
        raise AgentError(
            "E_VERIFY",
            "the release is not signed, and this device takes none that is not",
            'sign it: edgekit deploy --sign-key NAME, or signing_key = "NAME" in devices.toml',
        )
    if policy is None:
        raise AgentError(
            "E_CONFIG",
            "the release is signed, and this device knows no key",
            "edgekit keys install NAME --device DEVICE",
        )
    sealed = envelope.parse(signed, RELEASE_TYPE)
    strangers = set(sealed.signatures) - sealed.signers(policy.keys)
    if strangers:
        raise envelope.unknown(strangers)
    statement = _statement(sealed.payload)
    _check_audience(statement["audience"], policy)
    digest, counter = statement["manifest"]["sha256"], statement["counter"]
    if counter < state.rollback_floor and digest != state.active and digest not in state.bundles:
        raise AgentError(
            "E_VERIFY",
            f"the release has counter {counter}, the device takes {state.rollback_floor} or more",
            "to go back to a release that the device still has: edgekit rollback",
            counter=counter,
            rollback_floor=state.rollback_floor,
        )
    try:
        data = text.encode("utf-8") if isinstance(text, str) else b""
    except UnicodeEncodeError:
        data = b""
    if len(data) != statement["manifest"]["size"] or hashlib.sha256(data).hexdigest() != digest:
        raise envelope.refused("another manifest was signed")
    return int(counter)


def succeed(root: Root, text: object, signed: object) -> Policy:
    """Decide whether a policy may take the place of the present one.

    A policy is signed by a key of the present one, if there is one, and by a key of its own: so no policy gets in whose
    keys cannot sign. It is for the same device, and its serial is higher.

    Raises:
        AgentError: E_VERIFY when it is refused.
    """
    present = load(root)
    sealed = envelope.parse(signed, POLICY_TYPE)
    if not isinstance(text, str) or sealed.payload != text.encode("utf-8", "replace"):
        raise envelope.refused("another policy was signed")
    known = set() if present is None else sealed.signers(present.keys)
    if present is not None and not known:
        raise envelope.unknown(sealed.signatures)
    policy = _policy(sealed.payload)
    own = sealed.signers(policy.keys)
    if not own or set(sealed.signatures) - known - own:
        raise envelope.refused("the policy is not signed by a key of its own, or by a key of nobody")
    if present is not None and policy.device != present.device:
        raise envelope.refused(f"the policy is for the device {policy.device!r}, this is {present.device!r}")
    if present is not None and policy.serial <= present.serial:
        raise envelope.refused(f"the policy has serial {policy.serial}, the device has {present.serial}")
    return policy


def keep(root: Root, text: str) -> None:
    """Make a policy the present one, durably."""
    durable.replace(root.trust, text.encode("utf-8"))


def is_kept(root: Root, text: object) -> bool:
    """Whether a policy is the present one."""
    return isinstance(text, str) and durable.read_file(root.trust, envelope.MAX_BYTES) == text.encode(
        "utf-8", "replace"
    )


def check_staged(root: Root, blob: str) -> None:
    """Refuse to run a staged file that no release names, on a device that takes signed releases only.

    Raises:
        AgentError: E_VERIFY.
    """
    policy = load(root)
    if policy is None or policy.unsigned:
        return
    if not any(blob in releases.blob_names(root, digest) for digest in releases.stored(root)):
        raise AgentError(
            "E_VERIFY",
            f"the file {blob} belongs to no release, and this device runs nothing that is not signed",
            "deploy it; to measure models that are not deployed, use a device that takes unsigned ones",
            blob=blob,
        )


def counter_of(text: str) -> int:
    """The counter in a stored envelope, which was verified when it came.

    Raises:
        AgentError: E_VERIFY when it is damaged.
    """
    return int(_statement(envelope.parse(text, RELEASE_TYPE).payload)["counter"])


def _statement(payload: bytes) -> dict[str, Any]:
    """A release statement that was signed: {schema, manifest: {sha256, size}, audience, counter}."""
    content = _object(payload, RELEASE_SCHEMA, {"manifest", "audience", "counter"})
    manifest = content["manifest"]
    if (
        not isinstance(manifest, dict)
        or set(manifest) != {"sha256", "size"}
        or not _is_count(manifest["size"])
        or not _is_count(content["counter"])
    ):
        raise envelope.refused("the statement has no manifest or no counter")
    return content


def _check_audience(audience: object, policy: Policy) -> None:
    """Refuse a release that is signed for others: the audience is {"device": NAME} or {"group": NAME}."""
    if audience != {"device": policy.device} and audience not in [{"group": name} for name in policy.groups]:
        raise envelope.refused(
            f"it is signed for {json.dumps(audience)[:200]}, this is the device {policy.device!r}"
            + (f" in the groups {', '.join(policy.groups)}" if policy.groups else " in no group")
        )


def _policy(payload: bytes) -> Policy:
    content = _object(payload, SCHEMA, {"serial", "device", "groups", "keys", "unsigned", "floor"})
    keys, groups, floor = content["keys"], content["groups"], content["floor"]
    is_listed = isinstance(keys, list) and 0 < len(keys) <= _MAX_LISTED and isinstance(groups, list)
    if not is_listed or len(groups) > _MAX_LISTED or not all(map(_is_name, [*groups, content["device"]])):
        raise envelope.refused("the policy has no keys, or names nobody can have")
    if not _is_count(content["serial"]) or not isinstance(content["unsigned"], bool):
        raise envelope.refused("the policy has no serial, or does not say whether unsigned releases are taken")
    if floor is not None and not _is_count(floor):
        raise envelope.refused("the policy's floor is no counter")
    public = [envelope.decoded(key) for key in keys]
    usable = [key for key in public if key is not None and ed25519.is_key(key)]
    if len(usable) != len(public):
        raise envelope.refused("a key of the policy is no Ed25519 key")
    return Policy(
        serial=content["serial"],
        device=content["device"],
        groups=groups,
        keys={envelope.key_id(key): key for key in usable},
        unsigned=content["unsigned"],
        floor=floor,
    )


def _object(payload: bytes, schema: str, fields: set[str]) -> dict[str, Any]:
    try:
        content = protocol.decode_message(payload)
    except protocol.FrameError as cause:
        raise envelope.refused(str(cause)) from cause
    if content.get("schema") != schema or set(content) != {"schema", *fields}:
        raise envelope.refused(f"its payload is not {schema}; this agent knows no other")
    return content


def _is_name(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= _MAX_NAME and value.isprintable()


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_COUNTER
