"""A disk of any size: a tmpfs in a mount namespace of its own, which nobody else sees and which ends with its owner."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self

from edgekit.core.errors import UnsupportedError

_MOUNT = 'mount -t tmpfs -o "size=$1,mode=700" none "$DISK"'
_REMOUNT = 'mount -o "remount,$1" "$DISK"'


class SmallDisk:
    """The disk, as a context manager.

    Args:
        folder: an empty folder, over which it is mounted.
        size_bytes: at first.

    Attributes:
        path: where those see it who run behind `wrap`.
        outside: where everybody else sees it.
        wrap: what runs a command so that it sees the disk.

    Raises:
        UnsupportedError: this computer allows no mount, not even in a namespace of its own.
    """

    def __init__(self, folder: Path, size_bytes: int) -> None:
        self.path = folder.resolve()
        user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
        unshare = shutil.which("unshare")
        if unshare is None:
            raise UnsupportedError("there is no unshare on this computer", hint="install util-linux")
        self._owner = subprocess.Popen(
            [unshare, "--mount", *user, "sh"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "DISK": str(self.path)},
        )
        self.outside = Path(f"/proc/{self._owner.pid}/root{self.path}")
        joined = ["--user", "--preserve-credentials"] if user else []
        self.wrap = ("nsenter", "--target", str(self._owner.pid), "--mount", *joined)
        try:
            self._do(_MOUNT, str(size_bytes))
        except UnsupportedError:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Nothing is left of it."""
        assert self._owner.stdin is not None
        assert self._owner.stdout is not None
        self._owner.stdin.close()
        self._owner.stdout.close()
        self._owner.wait()

    def resize(self, size_bytes: int) -> None:
        """Change its size, down to what is used."""
        self._do(_REMOUNT, f"size={size_bytes}")

    def leave(self, free_bytes: int) -> None:
        """Make it so small that so much is free."""
        self.resize(self.used_bytes + free_bytes)

    def allow_files(self, free: int) -> None:
        """Make it so that only so many more files, folders and links fit."""
        facts = os.statvfs(self.outside)
        self._do(_REMOUNT, f"nr_inodes={facts.f_files - facts.f_ffree + free}")

    def allow_all_files(self) -> None:
        """Take the limit back."""
        self._do(_REMOUNT, "nr_inodes=100000")

    def set_read_only(self, is_read_only: bool) -> None:
        """Turn it read-only, or back."""
        self._do(_REMOUNT, "ro" if is_read_only else "rw")

    @property
    def used_bytes(self) -> int:
        """What is taken, whole blocks."""
        facts = os.statvfs(self.outside)
        return (facts.f_blocks - facts.f_bfree) * facts.f_frsize

    def _do(self, command: str, argument: str) -> None:
        assert self._owner.stdin is not None
        assert self._owner.stdout is not None
        try:
            self._owner.stdin.write(f"set -- {argument}; {command}; echo status $?\n")
            self._owner.stdin.flush()
        except BrokenPipeError:
            pass
        said = []
        while (line := self._owner.stdout.readline()) and not line.startswith("status "):
            said.append(line.strip())
        if line != "status 0\n":
            raise UnsupportedError(
                f"this computer gives no small disks: {' '.join(said)}",
                hint="be root, or allow user namespaces (sysctl kernel.unprivileged_userns_clone=1)",
            )
