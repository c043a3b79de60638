"""Stored manifests: which there are, which is active, and what they name."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress

from device_agents.linux import durable, manifest
from device_agents.linux.errors import AgentError
from device_agents.linux.root import is_digest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from device_agents.linux.root import Root


def active(root: Root) -> str:
    """The digest that `current` points to.

    Raises:
        AgentError: E_INPUT when nothing is active, or `current` is damaged.
    """
    try:
        digest = os.path.basename(os.readlink(root.current))[: -len(".json")]
    except OSError as cause:
        if cause.errno not in (errno.ENOENT, errno.EINVAL):  # gone, or no link
            raise
        raise AgentError("E_INPUT", "no release is active on this device", "deploy one") from cause
    if not is_digest(digest):
        raise AgentError("E_INPUT", f"{root.current} is damaged", "deploy again: that mends the link")
    return digest


def load(root: Root, digest: str) -> manifest.Manifest:
    """A stored manifest, proven to have the digest of its name.

    Raises:
        AgentError: E_INPUT when there is none, E_VERIFY when it is damaged.
    """
    try:
        text = durable.read_file(root.release(digest), manifest.MAX_BYTES).decode("utf-8")
    except FileNotFoundError as cause:
        raise AgentError("E_INPUT", f"the device has no release {digest}", "deploy it") from cause
    except UnicodeDecodeError as cause:
        raise AgentError("E_VERIFY", f"{root.release(digest)} is damaged", "deploy it again") from cause
    release = manifest.parse(text)
    if release.digest != digest:
        raise AgentError("E_VERIFY", f"{root.release(digest)} is damaged", "deploy it again")
    return release


def is_stored(root: Root, digest: str) -> bool:
    """Whether there is a manifest; a disk that cannot tell is an OSError, not a release that is gone."""
    try:
        return stat.S_ISREG(os.stat(root.release(digest)).st_mode)
    except FileNotFoundError:
        return False


def counter(root: Root, digest: str) -> int:
    """The counter of a stored release: that of its envelope if it was signed, else that of its manifest.

    Raises:
        AgentError: E_INPUT when there is no such release, E_VERIFY when it is damaged.
    """
    own = load(root, digest).counter
    try:
        text = durable.read_file(root.envelope(digest), manifest.MAX_BYTES)
    except FileNotFoundError:
        return own
    from device_agents.linux import trust  # a device without keys does without

    return trust.counter_of(text.decode("ascii", "replace"))


def manifest_text(root: Root, digest: str | None) -> str | None:
    """The text of a stored manifest; None when there is none, or it is damaged."""
    if digest is not None:
        with suppress(AgentError):
            return load(root, digest).text
    return None


def newest_bundles(root: Root, digests: list[str]) -> dict[str, str]:
    """The newest installed bundle of each runtime: its name to the bundle's digest.

    Args:
        root: where the manifests lie.
        digests: of runtime bundles, newest first.
    """
    found: dict[str, str] = {}
    for digest in digests:
        with suppress(AgentError, FileNotFoundError):
            if stat.S_ISDIR(os.stat(root.runtime(digest)).st_mode):
                found.setdefault(load(root, digest).runtime, digest)
    return found


def stored(root: Root) -> list[str]:
    """Digests of all stored manifests, sorted."""
    with suppress(FileNotFoundError):
        names = (name[: -len(".json")] for name in os.listdir(root.releases) if name.endswith(".json"))
        return sorted(name for name in names if is_digest(name))
    return []


def signed(root: Root) -> list[str]:
    """Digests of all stored envelopes, sorted."""
    names = (name[: -len(".dsse")] for name in os.listdir(root.releases) if name.endswith(".dsse"))
    return sorted(name for name in names if is_digest(name))


def blob_names(root: Root, digest: str) -> set[str]:
    """The blobs that a stored release names; a damaged manifest names none."""
    try:
        return {file.sha256 for file in load(root, digest).files.values()}
    except AgentError:
        return set()
