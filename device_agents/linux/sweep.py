"""The broom: removes releases, and the blobs, runtimes and unfinished uploads that nobody needs."""

from __future__ import annotations

import os

from device_agents.linux import durable, releases
from device_agents.linux.root import is_digest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from device_agents.linux.root import Root


def sweep(root: Root, stay: set[str], data: bool) -> tuple[list[str], int]:
    """Remove all releases but those that stay; first their manifests, durably, then what those named.

    Args:
        root: where.
        stay: digests of manifests.
        data: also remove every blob that no release names, and all uploads that were never finished.

    Returns:
        The digests of the removed releases, and the bytes of what was removed.
    """
    before = {digest: releases.blob_names(root, digest) for digest in releases.stored(root)}
    removed = sorted(set(before) - stay)
    for digest in removed:
        os.unlink(root.release(digest))
    if removed:
        durable.sync_folder(root.releases)
    needed = {blob for digest in stay if digest in before for blob in before[digest]}
    doomed = {blob for digest in removed for blob in before[digest]} - needed
    if data:
        doomed |= {name for name in os.listdir(root.blobs) if is_digest(name)} - needed
    paths = [root.blob(blob) for blob in sorted(doomed)] + [root.runtime(digest) for digest in removed]
    paths += [root.envelope(digest) for digest in releases.signed(root) if digest not in stay]
    if data:
        paths += [
            os.path.join(root.incoming, name)
            for name in sorted(os.listdir(root.incoming))
            if name.endswith((".part", ".sums"))
        ]
    return removed, sum(map(_remove, paths))


def _remove(path: str) -> int:
    size = _tree_bytes(path)
    durable.remove_tree(path)
    return size


def _tree_bytes(path: str) -> int:
    if os.path.isdir(path) and not os.path.islink(path):
        return sum(_tree_bytes(os.path.join(path, name)) for name in os.listdir(path))
    return os.lstat(path).st_size if os.path.lexists(path) else 0
