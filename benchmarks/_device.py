"""An emulated Raspberry Pi 4 for the length of a benchmark, and commands on it beside edgekit's own."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks._folders import edgekit, quickstart
from benchmarks._missing import CannotRun, program
from edgekit.device.inventory import Inventory
from edgekit.emulators import emulator
from edgekit.transports import Endpoint

NAME = "bench-rpi4"
TARGET = "rpi4"


@dataclass(frozen=True, kw_only=True)
class Pi:
    """A device that is up, in the inventory as `NAME`."""

    command: tuple[str, ...]

    def run(self, script: str, *, standard_input: bytes = b"") -> bytes:
        """What a shell script prints there."""
        done = subprocess.run([*self.command, script], input=standard_input, capture_output=True, timeout=600)
        if done.returncode:
            raise RuntimeError(f"{script!r} failed on the device: {done.stderr.decode('utf-8', 'replace')}")
        return done.stdout

    def put(self, data: bytes, path: str) -> None:
        """Write a file there."""
        self.run(f"cat > {path}", standard_input=data)


@contextmanager
def emulated_pi(folder: Path) -> Iterator[Pi]:
    """Bring it up; it is taken down whatever happens.

    Args:
        folder: the benchmark's own folder.

    Raises:
        CannotRun: no aarch64 program can be run here.
    """
    ssh = program("ssh")
    if missing := emulator("user").missing():
        raise CannotRun("; ".join(f"needs {item.what}: {item.remedy}" for item in missing))
    edgekit("emulator", "up", TARGET, "--name", NAME, "--backend", "user")
    try:
        entry = Inventory.find().get(NAME)
        endpoint = Endpoint.parse(entry.url)
        trusted = folder / "pi_known_hosts"
        trusted.write_text("".join(f"pi {key}\n" for key in entry.host_keys), encoding="ascii")
        options = {
            "BatchMode": "yes",
            "StrictHostKeyChecking": "yes",
            "UserKnownHostsFile": str(trusted),
            "HostKeyAlias": "pi",
            "IdentitiesOnly": "yes",
        }
        command = [ssh, "-F", "none", "-T", "-p", str(endpoint.port), "-l", endpoint.user, "-i"]
        command.append(str(entry.identity_file))
        for name, value in options.items():
            command += ["-o", f"{name}={value}"]
        yield Pi(command=(*command, "--", endpoint.host))
    finally:
        edgekit("emulator", "down", NAME)


def compiled(folder: Path, recipe: str, *, trained: bool = False) -> Path:
    """A bundle of the quickstart model for the Pi; `trained` for recipes that train."""
    path = folder / f"{recipe}.edgekit"
    data = quickstart()
    edgekit(
        "compile",
        data / "quickstart.keras",
        *("--target", TARGET, "--recipe", recipe, "--calibration-data", data / "train.npz", "--output", path),
        *(("--train-data", data / "train.npz") if trained else ()),
    )
    return path
