"""Which wheels a runtime needs on a machine; downloaded here for there, and kept: a second time needs no network."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import platformdirs

from edgekit.core.digest import sha256_file, sha256_json
from edgekit.core.errors import DeadlineError, NetworkError, StorageError, UnsupportedError
from edgekit.core.files import write_atomically
from edgekit.core.suggest import did_you_mean
from edgekit.transports import printable

Version = tuple[int, int]

DOWNLOAD_LIMIT_S = 900.0
_COMPLETE = "complete.json"
_LEGACY_PLATFORMS: Mapping[Version, str] = {(2, 17): "manylinux2014", (2, 12): "manylinux2010", (2, 5): "manylinux1"}
_USER_LAND_32 = {"aarch64": "armv7l", "armv8l": "armv7l", "x86_64": "i686"}
"""What a 32-bit user land on a 64-bit kernel really is."""


class UserLand(Protocol):
    """What decides which wheels run on a machine; a device's `Hello` tells it, and so does an emulated system."""

    @property
    def machine(self) -> str:
        """As `uname -m` prints it."""

    @property
    def bits(self) -> int:
        """Size of a pointer: 32 or 64."""

    @property
    def python(self) -> str:
        """Version of Python, e.g. "3.11.2"."""

    @property
    def libc(self) -> tuple[str, str]:
        """Name and version, e.g. ("glibc", "2.36")."""


@dataclass(frozen=True, kw_only=True)
class WheelSet:
    """One way to get a runtime: what to ask pip for, and where wheels of it exist.

    Attributes:
        requirements: for pip; nothing else is installed, so they hold all that the interpreter imports.
        pythons: first and last CPython with a wheel.
        glibc: machine to the oldest glibc that its wheel runs with.
        from_system: machine to the packages that have no wheel there and must come with the system.
        native: name of the native runner that is built against the first wheel, and then goes to the device in its
            place (`edgekit.device.native`); empty for a runtime that is used as its wheels are.
    """

    requirements: tuple[str, ...]
    pythons: tuple[Version, Version]
    glibc: Mapping[str, Version]
    from_system: Mapping[str, str]
    native: str = ""


FORMATS: Mapping[str, tuple[str, ...]] = {
    "litert": ("tflite",),
    "tflite_runtime": ("tflite",),
    "torch_mobile": ("ptl",),
    "executorch": ("pte",),
}
"""What each runtime loads."""

RUNTIMES: Mapping[str, Sequence[WheelSet]] = {
    # `ai_edge_litert.interpreter` imports NumPy and nothing else of what its metadata asks for (tried with an import
    # hook that blocks flatbuffers, protobuf, tqdm, ml_dtypes, backports, typing_extensions; ai-edge-litert 2.3.0).
    "litert": (
        WheelSet(
            requirements=("ai-edge-litert>=2.3,<2.4", "numpy>=1.26,<2.5"),
            pythons=((3, 10), (3, 14)),
            glibc={"x86_64": (2, 27), "aarch64": (2, 27)},
            from_system={},
        ),
    ),
    # NumPy 2 makes its Interpreter fail, which its metadata does not say. PyPI has no NumPy for armv7l.
    "tflite_runtime": (
        WheelSet(
            requirements=("tflite-runtime==2.14.0", "numpy>=1.21,<2"),
            pythons=((3, 8), (3, 11)),
            glibc={"x86_64": (2, 17), "aarch64": (2, 34), "armv7l": (2, 34)},
            from_system={"armv7l": "numpy"},
        ),
        WheelSet(
            requirements=("tflite-runtime==2.13.0", "numpy>=1.21,<2"),
            pythons=((3, 8), (3, 10)),
            glibc={"x86_64": (2, 17), "aarch64": (2, 17), "armv7l": (2, 17)},
            from_system={"armv7l": "numpy"},
        ),
    ),
    # The newest release whose aarch64 wheel is for the CPU alone (2.11 and later bring CUDA: 427 MB instead of 146).
    # It needs an Armv8.2 core. `import torch` and the lite interpreter import typing_extensions and nothing else of
    # what its metadata asks for; the runner needs no NumPy (tried on an emulated Cortex-A76, torch 2.10.0).
    "torch_mobile": (
        WheelSet(
            requirements=("torch==2.10.0", "typing-extensions>=4.10"),
            pythons=((3, 10), (3, 14)),
            glibc={"aarch64": (2, 28)},
            from_system={},
        ),
    ),
    "executorch": (
        WheelSet(
            requirements=("executorch==1.5.1",),
            pythons=((3, 10), (3, 14)),
            glibc={"x86_64": (2, 28), "aarch64": (2, 28)},
            from_system={},
            native="pte_runner",
        ),
    ),
}


@dataclass(frozen=True, kw_only=True)
class Download:
    """What to ask pip for, for a certain machine.

    Attributes:
        runtime: name of the runner.
        requirements: for pip.
        python: e.g. "3.11".
        platforms: wheel tags that run there, newest first.
        from_system: packages that must come with the system; empty when all come from wheels.
        machine: as `uname -m` prints it, for the user land.
        native: name of the native runner to build against the first wheel, or "".
    """

    runtime: str
    requirements: tuple[str, ...]
    python: str
    platforms: tuple[str, ...]
    from_system: str
    machine: str
    native: str


def plan(runtime: str, hello: UserLand) -> Download:
    """Choose the wheels for a device.

    Raises:
        UnsupportedError: there are none for its machine, libc or Python; the message lists what exists.
    """
    if runtime not in RUNTIMES:
        raise UnsupportedError(
            f"edgekit cannot provision the runtime {runtime!r}",
            hint=did_you_mean(runtime, RUNTIMES) or f"known are {', '.join(RUNTIMES)}",
        )
    machine = _USER_LAND_32.get(hello.machine, hello.machine) if hello.bits == 32 else hello.machine
    python = _version(hello.python)
    libc, glibc = hello.libc[0], _version(hello.libc[1])
    for wheels in RUNTIMES[runtime] if libc == "glibc" else ():
        first, last = wheels.pythons
        if machine in wheels.glibc and first <= python <= last and glibc >= wheels.glibc[machine]:
            system = wheels.from_system.get(machine, "")
            return Download(
                runtime=runtime,
                requirements=tuple(item for item in wheels.requirements if not system or not item.startswith(system)),
                python=f"{python[0]}.{python[1]}",
                platforms=_platforms(machine, glibc),
                from_system=system,
                machine=machine,
                native=wheels.native,
            )
    raise _no_wheel(runtime, hello, machine)


def _no_wheel(runtime: str, hello: UserLand, machine: str) -> UnsupportedError:
    exist = "; ".join(
        f"{wheels.requirements[0]} for Python {_dotted(wheels.pythons[0])} to {_dotted(wheels.pythons[1])} on "
        + ", ".join(f"{name} with glibc {_dotted(oldest)} or newer" for name, oldest in sorted(wheels.glibc.items()))
        for wheels in RUNTIMES[runtime]
    )
    userland = f" (a {hello.bits}-bit user land on {hello.machine})" if machine != hello.machine else ""
    other = next(
        (
            name
            for name, sets in RUNTIMES.items()
            if name != runtime and FORMATS[name] == FORMATS[runtime] and machine in sets[0].glibc
        ),
        None,
    )
    here = machine in RUNTIMES[runtime][0].glibc
    return UnsupportedError(
        f"there is no {runtime} wheel for {machine}{userland}, Python {hello.python}, {' '.join(hello.libc)}; "
        f"there are: {exist}",
        hint="use another OS image" if here else f"use the runtime {other}" if other else "install it there yourself",
        machine=machine,
        python=hello.python,
        libc=list(hello.libc),
    )


def _platforms(machine: str, glibc: Version) -> tuple[str, ...]:
    """All manylinux tags that a glibc satisfies; pip does not infer the older ones."""
    tags = []
    for minor in range(glibc[1], 4, -1):
        tags.append(f"manylinux_2_{minor}_{machine}")
        if legacy := _LEGACY_PLATFORMS.get((2, minor)):
            tags.append(f"{legacy}_{machine}")
    return tuple(tags)


def _version(text: str) -> Version:
    major, _, rest = text.partition(".")
    minor = rest.partition(".")[0]
    return (int(major), int(minor)) if major.isdecimal() and minor.isdecimal() else (0, 0)


def _dotted(version: Version) -> str:
    return f"{version[0]}.{version[1]}"


def cache_folder() -> Path:
    """$EDGEKIT_CACHE_DIR, or the user's cache folder; wheels lie in `wheels` below it."""
    chosen = os.environ.get("EDGEKIT_CACHE_DIR")
    return (Path(chosen) if chosen else platformdirs.user_cache_path("edgekit")) / "wheels"


def fetch(wanted: Download, *, offline: bool) -> list[Path]:
    """The wheel files, from the cache or by `pip download`.

    Args:
        wanted: what `plan` chose.
        offline: use the cache only.

    Raises:
        NetworkError: they are not cached and the network may not be, or cannot be used.
        UnsupportedError: the index has no such wheels, or there is no pip here.
    """
    folder = cache_folder() / sha256_json([wanted.requirements, wanted.python, wanted.platforms])[:32]
    cached = _cached(folder)
    if cached is not None:
        return cached
    what = f"wheels of {', '.join(wanted.requirements)} for Python {wanted.python} on {wanted.platforms[0]}"
    if offline:
        raise NetworkError(
            f"the {what} are not in the cache ({folder.parent}), and --offline forbids to download them",
            hint="run the same command once without --offline",
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".download-") as temporary:
        fresh = Path(temporary) / "wheels"
        fresh.mkdir()
        _download(wanted, fresh, what)
        files = {file.name: sha256_file(file) for file in sorted(fresh.glob("*.whl"))}
        write_atomically(fresh / _COMPLETE, json.dumps(files, sort_keys=True).encode())
        shutil.rmtree(folder, ignore_errors=True)  # what was there was not complete
        try:
            fresh.rename(folder)
        except OSError as cause:
            if _cached(folder) is None:  # else another process was faster
                raise StorageError(
                    f"cannot keep wheels in {folder}: {cause.strerror}", hint="free some space"
                ) from cause
    return _cached(folder) or []


def _cached(folder: Path) -> list[Path] | None:
    """The files of a complete download whose bytes are still the same, else None."""
    try:
        digests: dict[str, str] = json.loads((folder / _COMPLETE).read_text())
        files = [folder / name for name in sorted(digests)]
        return files if files and all(sha256_file(file) == digests[file.name] for file in files) else None
    except (OSError, ValueError):
        return None


def _download(wanted: Download, folder: Path, what: str) -> None:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input"]
    command += ["--no-deps", "--only-binary=:all:", "--implementation", "cp", "--python-version", wanted.python]
    for tag in wanted.platforms:
        command += ["--platform", tag]
    try:
        done = subprocess.run(
            [*command, "--dest", str(folder), "--", *wanted.requirements],
            capture_output=True,
            timeout=DOWNLOAD_LIMIT_S,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired as cause:
        raise DeadlineError(
            f"to download the {what} took longer than {DOWNLOAD_LIMIT_S:g} s", hint="check the network and try again"
        ) from cause
    if done.returncode == 0:
        return
    lines = [line for line in done.stderr.decode(errors="replace").splitlines() if line.startswith("ERROR")] or ["?"]
    said = printable(lines[-1].removeprefix("ERROR: "), limit=300)
    if b"No module named pip" in done.stderr:
        raise UnsupportedError(
            "there is no pip beside edgekit to download wheels with", hint=f"{sys.executable} -m ensurepip"
        )
    if b"No matching distribution found" in done.stderr and b"connection broken" not in done.stderr:
        raise UnsupportedError(
            f"the package index has no {what}: {said}", hint="check pip's index with `pip config list`"
        )
    raise NetworkError(f"cannot download the {what}: {said}", hint="check the network; pip's settings apply")
