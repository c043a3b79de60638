"""New devices that have their agents already, with compiled modules: most of what a first start takes."""

from __future__ import annotations

import shutil
from pathlib import Path

from edgekit.device.session import AgentProgram
from edgekit.selftest.lab.agent_process import AgentProcess, fake_release


class WarmDevices:
    """Makes ROOTs.

    Args:
        folder: theirs; each device has a folder in it.
        programs: agents that are there, also as an attribute.
    """

    def __init__(self, folder: Path, *programs: AgentProgram) -> None:
        self.programs = programs
        self._folder = folder
        folder.mkdir(parents=True)
        for program in programs:
            with AgentProcess(folder / "first", program=program) as agent:
                agent.boot().deploy(fake_release())

    def new(self, name: str) -> Path:
        """ROOT of a device that holds nothing but its agents."""
        root = self._folder / name
        root.mkdir(mode=0o700)
        shutil.copytree(self._folder / "first" / "agents", root / "agents")
        return root
