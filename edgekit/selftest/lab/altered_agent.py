"""The agent with pieces of its source replaced: a machine that restarts, sleeps or fills up when an experiment says so.

What an experiment does not name is the agent as it is shipped.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

from edgekit.device.agent_build import bootstrap_source, build_agent
from edgekit.device.session import AgentProgram

Change = tuple[str, str]

MACHINE: tuple[Change, ...] = (
    ('return read_text("/proc/sys/kernel/random/boot_id")', 'return read_text(os.environ["EDGEKIT_LAB"] + "/boot")'),
    (
        "return time.clock_gettime(time.CLOCK_BOOTTIME)",
        'return time.clock_gettime(time.CLOCK_BOOTTIME) + float(read_text(os.environ["EDGEKIT_LAB"] + "/slept") or 0)',
    ),
    (
        "        with naming(path, len(data)):\n            write_all(descriptor, data)\n",
        """        with naming(path, len(data)):
            if os.path.exists(os.environ["EDGEKIT_LAB"] + "/full"):
                raise OSError(errno.ENOSPC, "No space left on device")
            write_all(descriptor, data)
""",
    ),
)
"""Boot id, time since the boot and free space are those of a `LabMachine`."""

QUICK_PROOF: tuple[Change, ...] = (
    ("self._compute.prove,", "_prove_here,"),
    (
        "def _terminate(",
        """def _prove_here(release, opened):
    import json

    model = opened[release.files[release.model].sha256]
    behaviour = json.loads(os.pread(model, 4096, 0)).get("run", "ok")
    root = os.path.dirname(os.path.dirname(os.readlink("/proc/self/fd/%d" % model)))
    current = os.path.join(root, "current")
    in_place = os.path.lexists(current) and os.readlink(current).endswith(release.digest + ".json")
    if behaviour == "bad" or (behaviour == "late" and in_place):
        raise AgentError("E_DEVICE", "the model was told to fail")
    return None


def _terminate(""",
    ),
)
"""A golden run that starts no process: a model says "bad" (it never runs) or "late" (not once it is active)."""


def altered(*changes: Change) -> AgentProgram:
    """This edgekit's agent with each piece of text replaced by another, wherever it stands.

    Raises:
        ValueError: the agent holds no such piece.
    """
    source = zipfile.ZipFile(io.BytesIO(build_agent()))
    files = {name: source.read(name).decode("utf-8") for name in source.namelist()}
    for old, new in changes:
        found = [name for name, text in files.items() if old in text]
        if not found:
            raise ValueError(f"the agent holds no {old!r}")
        for name in found:
            files[name] = files[name].replace(old, new)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, text in files.items():
            archive.writestr(zipfile.ZipInfo(name), text)
    data = buffer.getvalue()
    return AgentProgram(bootstrap=bootstrap_source(), archive=data, sha256=hashlib.sha256(data).hexdigest())


@dataclass(kw_only=True)
class LabMachine:
    """What an agent with the changes `MACHINE` takes for its machine.

    Args:
        folder: its files.
    """

    folder: Path
    _boots: int = field(default=0, init=False)
    _slept_s: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        self.folder.mkdir()
        self.reboot()

    @property
    def env(self) -> dict[str, str]:
        """For the agent."""
        return {"EDGEKIT_LAB": str(self.folder)}

    def reboot(self) -> None:
        """The next look at the boot id finds another one; whoever still runs is the caller's to kill."""
        self._boots += 1
        self._write("boot", f"boot-{self._boots}")

    def sleep(self, seconds: float) -> None:
        """Time passes for the machine, and for nobody else."""
        self._slept_s += seconds
        self._write("slept", str(self._slept_s))

    def fill(self, *, is_full: bool) -> None:
        """From now on no file can be written, or again."""
        if is_full:
            self._write("full", "")
        else:
            (self.folder / "full").unlink(missing_ok=True)

    def _write(self, name: str, text: str) -> None:
        fresh = self.folder / (name + ".new")
        fresh.write_text(text)
        fresh.replace(self.folder / name)
