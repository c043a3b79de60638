"""Somebody with the deploy key of a hardened device, who would like to run a program there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from edgekit.selftest.lab.agent_process import AgentProcess
from edgekit.selftest.lab.sshd import Sshd


@dataclass(frozen=True, kw_only=True)
class Thief:
    """What the thief has.

    Attributes:
        server: the device's.
        key: the stolen private key.
        root: the agent's ROOT, which he knows.
        launcher: where the launcher lies.
        folder: of the lab; a file `mark` in there proves that a program of his has run.
    """

    server: Sshd
    key: Path
    root: str
    launcher: PurePosixPath
    folder: Path

    @property
    def mark(self) -> Path:
        """The file that his programs would leave."""
        return self.folder / "mark"

    def left_a_mark(self) -> str | None:
        """What to report when a program of his has run; the mark is wiped off."""
        if not self.mark.exists():
            return None
        self.mark.unlink()
        return "a program of the thief's ran"

    def agent(self, *options: str) -> AgentProcess:
        """A connection on which the agent is expected, whatever the options ask sshd for."""
        return AgentProcess(
            self.folder,
            python="python3",
            wrap=[*self.server.client(self.key, *options), f"{self.server.user}@127.0.0.1"],
        )

    def can_speak(self) -> bool:
        """Whether the agent answers him: without that, every refusal here would mean nothing."""
        with self.agent() as process:
            try:
                return bool(process.boot().request("hello", protocol=[1])["root"] == self.root)
            except AssertionError:
                return False  # nobody answered
