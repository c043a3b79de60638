"""Where things lie below ROOT, and the rule for names that are digests."""

from __future__ import annotations

import os
import re
import stat

from device_agents.linux.errors import AgentError

_DIGEST = re.compile("[0-9a-f]{64}")
FOLDERS = ("agents", "blobs", "releases", "runtimes", "incoming", "empty")


def is_digest(value: object) -> bool:
    """Whether `value` is a sha256 as 64 lower-case hex digits; only such names ever become part of a path."""
    return isinstance(value, str) and _DIGEST.fullmatch(value) is not None


class Root:
    """The paths of ROOT; knows names, not contents."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.agents, self.blobs, self.releases, self.runtimes, self.incoming, self.empty = (
            os.path.join(path, folder) for folder in FOLDERS
        )
        self.state = os.path.join(path, "state.json")
        self.lock = os.path.join(path, "lock")
        self.current = os.path.join(path, "current")
        self.previous = os.path.join(path, "previous")
        self.spare = os.path.join(path, "spare")
        self.health = os.path.join(path, "health")
        self.lease = os.path.join(path, "lease.json")
        self.trust = os.path.join(path, "trust.json")
        self.lease_lock = os.path.join(path, "lease.lock")
        self.tries = os.path.join(path, "tries.json")

    def blob(self, digest: str) -> str:
        """Path of a blob."""
        return os.path.join(self.blobs, digest)

    def release(self, digest: str) -> str:
        """Path of a manifest."""
        return os.path.join(self.releases, digest + ".json")

    def envelope(self, digest: str) -> str:
        """Path of the envelope of a signed release."""
        return os.path.join(self.releases, digest + ".dsse")

    def runtime(self, digest: str) -> str:
        """Folder of an unpacked runtime bundle."""
        return os.path.join(self.runtimes, digest)

    def prepare(self) -> None:
        """Create the folders that are missing; they last from the next fsync of ROOT on, before anything is answered.

        Raises:
            AgentError: E_STORAGE when something else lies under a folder's name.
        """
        for folder in FOLDERS:
            path = os.path.join(self.path, folder)
            try:
                # "empty" is the working folder of children: nothing can be created in it (except by root).
                os.mkdir(path, 0o500 if folder == "empty" else 0o700)
            except FileExistsError:
                if not stat.S_ISDIR(os.lstat(path).st_mode):
                    raise AgentError(
                        "E_STORAGE", f"{path} is not a folder", "move it away and try again", path=path
                    ) from None
