"""The layer of a user-mode device that counts its instructions: qemu-user with plugins, its libraries, our plugin.

The device's programs run under a static QEMU, which cannot load plugins. Debian's qemu-user can, so a program that
shall be counted is started under that one instead: `COUNTER program arguments`.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from edgekit.core.digest import sha256_bytes, sha256_file
from edgekit.core.errors import DeviceError, UnsupportedError
from edgekit.emulators._cache import cached
from edgekit.emulators._commands import PATH, run
from edgekit.emulators._cortex_m.counting import host_compiler

if TYPE_CHECKING:
    from edgekit.emulators._base import OnText

COUNTER = "/usr/lib/edgekit-counter/count"
"""Path on the device of the program that runs its arguments and counts."""

_RECIPE = 1
"""Raise when the steps below change, so that layers of older versions are not reused."""

_PACKAGE = "qemu-user"
_SOURCE = Path(__file__).with_name("count.c")
_FLAGS = ("-O2", "-std=c11", "-shared", "-fPIC", "-fvisibility=hidden")
_TIMEOUT_S = 120.0
_LIBRARY = re.compile(r"/\S+")

# The libraries come along and are named to their own loader: the device's are for another architecture.
_SCRIPT = """\
#!/bin/sh
at=${{0%/*}}
exec "$at/{loader}" --library-path "$at" "$at/{qemu}" -plugin "$at/count.so" "$@"
"""


def counting_layer(*, qemu: str = "qemu-aarch64", cache_dir: Path, on_event: OnText) -> Path:
    """The layer, built now if it is not in the cache.

    Args:
        qemu: the emulator of the device's programs that loads plugins.
        cache_dir: root of the cache.
        on_event: hears of a build.

    Raises:
        UnsupportedError: this computer has no qemu-user with plugins, or no C compiler.
        DeviceError: the compiler refuses our source.
        StorageError: the disk is full.
    """
    compiler = host_compiler()
    if compiler is None:
        raise UnsupportedError("there is no C compiler", hint="sudo apt-get install gcc libc6-dev")
    found = shutil.which(qemu, path=PATH)
    if found is None:
        raise UnsupportedError(
            f"{qemu} is missing",
            hint=f"sudo apt-get install --no-install-recommends {_PACKAGE}, then bring it up again",
        )
    program = Path(found).resolve()
    folder_on_device, script = COUNTER.lstrip("/").rsplit("/", 1)

    def build(folder: Path) -> None:
        on_event("building the counter of instructions")
        home = folder / "tree" / folder_on_device
        home.mkdir(parents=True)
        libraries = _libraries(program)
        loader = next(path.name for path in libraries if path.name.startswith("ld-linux"))
        for path in (program, *libraries):
            shutil.copyfile(path, home / path.name)
        env = {f"ZIG_{kind}_CACHE_DIR": str(folder / "zig") for kind in ("GLOBAL", "LOCAL")}
        run([*compiler, *_FLAGS, "-o", home / "count.so", _SOURCE], timeout_s=_TIMEOUT_S, env=env, error=DeviceError)
        shutil.rmtree(folder / "zig", ignore_errors=True)
        (home / script).write_text(_SCRIPT.format(loader=loader, qemu=program.name), encoding="ascii")
        for made in (folder / "tree").rglob("*"):
            made.chmod(0o755)  # whatever our umask is

    recipe = {
        "recipe": _RECIPE,
        "qemu": sha256_file(program),
        "plugin": sha256_bytes(_SOURCE.read_bytes() + " ".join((*compiler, *_FLAGS)).encode()),
    }
    return cached(cache_dir, "counter", recipe, build, must_hold=(f"tree{COUNTER}",)) / "tree"


def _libraries(program: Path) -> list[Path]:
    """What a program is linked against, its loader too.

    Raises:
        UnsupportedError: it is static, and so cannot load plugins.
    """
    listing = run(["ldd", program], timeout_s=_TIMEOUT_S, error=UnsupportedError, hint=f"install {_PACKAGE}")
    paths = [Path(match.group()) for line in listing.splitlines() if (match := _LIBRARY.search(line))]
    if not any(path.name.startswith("ld-linux") for path in paths):
        raise UnsupportedError(f"{program} is static and cannot load plugins", hint=f"install {_PACKAGE}")
    return paths
