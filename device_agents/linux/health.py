"""Health commands: programs of the device's owner that say whether a release does its work.

They lie in ROOT/health. A host names them and says nothing else: no program, no argument, no variable.
"""

from __future__ import annotations

import os
import re
import select
import signal
import stat
import subprocess
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from device_agents.linux.errors import AgentError, HostGoneError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from device_agents.linux.manifest import Manifest
    from device_agents.linux.root import Root

MOST = 8
MAX_S = 600.0
DEFAULT_S = 30.0
_NAME = re.compile("[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_TAIL_BYTES = 2048
_LOOK_MS = 50


class Health:
    """The commands of one activation.

    Args:
        root: of the device.
        names: of the commands, in the order in which they run.
        limit_s: wall-clock limit of each.
        hangup: the host's end; a command does not outlive it. None when there is no host.

    Raises:
        AgentError: E_INPUT when the device has no such command, E_VERIFY when others could have written it.
    """

    def __init__(self, root: Root, names: Sequence[str], limit_s: float, hangup: int | None = None) -> None:
        self.names = list(names)
        self.limit_s = limit_s
        self._root = root
        self._paths = {name: _find(root, name) for name in names}
        self._hangup = hangup
        self.has_run = False

    def check(self, release: Manifest) -> None:
        """Run them for a release that `current` leads to.

        Raises:
            AgentError: E_ROLLED_BACK when one fails or takes too long.
            HostGoneError: the host went away meanwhile.
        """
        self.has_run = True
        environment = self._environment(release.digest, release)
        for name, path in self._paths.items():
            reason = self._run(path, environment)
            if reason is not None:
                raise AgentError(
                    "E_ROLLED_BACK",
                    f"the release {release.digest} failed the health command {name}: {reason}",
                    "look at the program of the device that it starts",
                    failed=release.digest,
                    health=name,
                )

    def tell(self, active: str | None) -> None:
        """Run them once more after the way back, so that what they start again uses the old release."""
        self._hangup = None
        for path in self._paths.values():
            self._run(path, self._environment(active, None))

    def _environment(self, digest: str | None, release: Manifest | None) -> dict[str, str]:
        found = dict(os.environ, EDGEKIT_ROOT=self._root.path, EDGEKIT_RELEASE=digest or "")
        if release is not None and release.model is not None:
            found["EDGEKIT_MODEL"] = self._root.blob(release.files[release.model].sha256)
        return found

    def _run(self, path: str, environment: dict[str, str]) -> str | None:
        """Why a command failed; None when it is content."""
        try:
            process = subprocess.Popen(
                [path],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                cwd="/",
                env=environment,
                start_new_session=True,
            )
        except OSError as cause:
            return f"it cannot be started: {cause.strerror}"
        with process:
            try:
                tail = self._attend(process)
            finally:
                if process.poll() is None:  # what a content command has started in the background goes on
                    with suppress(ProcessLookupError):
                        os.killpg(process.pid, signal.SIGKILL)
        if tail is None:
            return f"it did not finish in {self.limit_s:g} s"
        if process.returncode == 0:
            return None
        status = process.returncode
        how = f"exit status {status}" if status > 0 else f"killed by {signal.Signals(-status).name}"
        return ": ".join([how, _printable(tail)] if tail else [how])

    def _attend(self, process: subprocess.Popen[bytes]) -> bytes | None:
        """The end of what it says; None when its time is over."""
        assert process.stdout is not None  # PIPE
        output, deadline, tail = process.stdout.fileno(), time.monotonic() + self.limit_s, b""
        poller = select.poll()
        poller.register(output, select.POLLIN)
        if self._hangup is not None:
            poller.register(self._hangup, select.POLLRDHUP)
        while process.poll() is None:
            if time.monotonic() > deadline:
                return None
            for descriptor, flags in poller.poll(_LOOK_MS):
                if descriptor != output:
                    if flags & (select.POLLHUP | select.POLLRDHUP | select.POLLERR):
                        raise HostGoneError("the host went away while a health command was running")
                elif chunk := os.read(output, 65536):
                    tail = (tail + chunk)[-_TAIL_BYTES:]
                else:
                    poller.unregister(output)
        os.set_blocking(output, False)
        with suppress(BlockingIOError):
            tail = (tail + os.read(output, 65536))[-_TAIL_BYTES:]
        return tail


def _find(root: Root, name: str) -> str:
    if not _NAME.fullmatch(name):
        raise AgentError("E_INPUT", f"{name[:80]!r} is no name of a health command", "letters, digits and ._-")
    path = os.path.join(root.health, name)
    try:
        folder, file = os.lstat(root.health), os.lstat(path)
    except OSError as cause:
        raise AgentError(
            "E_INPUT",
            f"this device has no health command {name!r}",
            f"its owner puts programs into {root.health}: " + (", ".join(_names(root)) or "there is none yet"),
        ) from cause
    if not stat.S_ISDIR(folder.st_mode) or not stat.S_ISREG(file.st_mode) or not file.st_mode & 0o100:
        raise AgentError("E_INPUT", f"{path} is no program", "it has to be a file that its owner may run", path=path)
    for place, facts in ((root.health, folder), (path, file)):
        if facts.st_uid not in (0, os.geteuid()) or facts.st_mode & 0o022:
            raise AgentError("E_VERIFY", f"others can write {place}", f"chmod go-w {place}", path=place)
    return path


def _names(root: Root) -> list[str]:
    with suppress(OSError):
        return sorted(os.listdir(root.health))
    return []


def _printable(raw: bytes) -> str:
    text = raw.decode("utf-8", "replace").strip()
    return "".join(char if char.isprintable() else " " for char in text)[-500:]
