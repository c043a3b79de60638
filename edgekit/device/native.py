"""The native runner of .pte programs: compiled here for the device's machine, and packed as a wheel with what it needs.

The compiler is Debian's, `<machine>-linux-gnu-g++`; headers and shared libraries are those of the executorch wheel for
that machine (docs/adr/0010). The wheel holds no byte that depends on when or where it was built.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

from edgekit.core.digest import sha256_file, sha256_json
from edgekit.core.errors import DeadlineError, UnsupportedError
from edgekit.core.files import storage_errors, write_atomically
from edgekit.device.wheels import cache_folder

_PACKAGE = "edgekit_pte_runner"
_LIBRARIES = (
    "executorch",
    "executorch_threadpool",
    "executorch_backend_xnnpack",
    "executorch_kernels_optimized",
    "executorch_kernels_quantized",
)
"""Without those of Qualcomm's and Intel's accelerators, which need drivers, and the one that writes traces."""

_FLAGS = (
    *("-std=c++17", "-O2", "-fPIC", "-shared"),
    *("-DC10_USING_CUSTOM_GENERATED_MACROS", "-DET_EVENT_TRACER_ENABLED"),  # as share/cmake of the wheel demands
)
_LINK_FLAGS = ("-Wl,-rpath,$ORIGIN", "-Wl,-z,defs", "-Wl,--build-id=none", "-s")
_COMPILE_LIMIT_S = 300.0
_EPOCH = (1980, 1, 1, 0, 0, 0)


def build(name: str, wheel: Path, machine: str) -> Path:
    """The wheel of the native runner, from the cache or built now.

    Args:
        name: of the source, `device_agents/linux/native/<name>.cpp`.
        wheel: the executorch wheel for the machine.
        machine: as `uname -m` prints it.

    Raises:
        UnsupportedError: there is no compiler for the machine, or it refuses the source.
        DeadlineError: the compiler takes too long.
        StorageError: the disk is full.
    """
    compiler = shutil.which(f"{machine}-linux-gnu-g++")
    if compiler is None:
        raise UnsupportedError(
            f"there is no C++ compiler for {machine} here ({machine}-linux-gnu-g++), which the runtime of .pte programs"
            " on devices needs",
            hint=f"sudo apt-get install g++-{machine.replace('_', '-')}-linux-gnu, or scripts/setup_emulators",
        )
    source = resources.files("device_agents").joinpath("linux", "native", f"{name}.cpp").read_bytes()
    version = wheel.name.split("-")[1]
    key = sha256_json(
        [
            hashlib.sha256(source).hexdigest(),
            sha256_file(wheel),
            _run([compiler, "--version"]),
            [*_FLAGS, *_LINK_FLAGS, *_LIBRARIES],
        ]
    )
    finished = cache_folder() / f"native-{key[:32]}" / f"{_PACKAGE}-{version}-py3-none-{_platform(wheel)}.whl"
    if not finished.is_file():
        with storage_errors(finished), tempfile.TemporaryDirectory() as temporary, zipfile.ZipFile(wheel) as archive:
            folder = Path(temporary)
            _extract(archive, folder)
            library = _compile(compiler, source, folder, f"lib{name}.so")
            package = folder / "wheel.whl"
            _pack(package, library, folder, version)
            write_atomically(finished, package.read_bytes())
    return finished


def _platform(wheel: Path) -> str:
    return wheel.name.removesuffix(".whl").split("-")[-1]


def _extract(archive: zipfile.ZipFile, folder: Path) -> None:
    wanted = re.compile(r"executorch/(?:include/.*|lib/[^/]+\.so)|[^/]+\.dist-info/licenses/LICENSE")
    for info in archive.infolist():
        if wanted.fullmatch(info.filename) and not info.is_dir():
            archive.extract(info, folder)


def _compile(compiler: str, source: bytes, folder: Path, name: str) -> Path:
    root, file, made = folder / "executorch", folder / "runner.cpp", folder / name
    file.write_bytes(source)
    include = root / "include"
    _run(
        [
            *(compiler, *_FLAGS),
            *("-isystem", str(include), "-isystem", str(include / "executorch/runtime/core/portable_type/c10")),
            *(f"-ffile-prefix-map={folder}=.", str(file), "-o", str(made), f"-L{root / 'lib'}"),
            # Nothing in the source mentions the backend and the kernels: they register when they are loaded.
            *("-Wl,--no-as-needed", *(f"-l{library}" for library in _LIBRARIES), *_LINK_FLAGS),
        ]
    )
    return made


def _run(command: list[str]) -> str:
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            timeout=_COMPILE_LIMIT_S,
            check=False,
            stdin=subprocess.DEVNULL,
            env=dict(os.environ, LC_ALL="C"),
        )
    except subprocess.TimeoutExpired as cause:
        raise DeadlineError(f"{command[0]} took longer than {_COMPILE_LIMIT_S:g} s", hint="try again") from cause
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip()
        raise UnsupportedError(
            f"{command[0]} refuses the native runner: {said[:1000]}", hint="GCC 10 or newer is needed"
        )
    return done.stdout.decode(errors="replace")


def _pack(package: Path, library: Path, folder: Path, version: str) -> None:
    with zipfile.ZipFile(package, "w") as archive:
        for name, content in sorted(_members(library, folder, version)):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.create_system = 3  # Unix
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, content, zipfile.ZIP_DEFLATED, 9)


def _members(library: Path, folder: Path, version: str) -> Iterator[tuple[str, bytes]]:
    info = f"{_PACKAGE}-{version}.dist-info"
    yield f"{_PACKAGE}/__init__.py", b'"""Shared libraries that run ExecuTorch programs."""\n'
    yield f"{_PACKAGE}/{library.name}", library.read_bytes()
    for name in _LIBRARIES:
        yield f"{_PACKAGE}/lib{name}.so", (folder / "executorch" / "lib" / f"lib{name}.so").read_bytes()
    for text in folder.glob("*.dist-info/licenses/LICENSE"):
        yield f"{info}/licenses/LICENSE.executorch", text.read_bytes()
    project = _PACKAGE.replace("_", "-")
    yield f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {project}\nVersion: {version}\n".encode()
    yield f"{info}/WHEEL", b"Wheel-Version: 1.0\nGenerator: edgekit\nRoot-Is-Purelib: false\nTag: py3-none-any\n"
    yield f"{info}/RECORD", b""
