"""Our QEMU plugin: compiled when it is first needed, called with an image's addresses, read when QEMU has ended."""

from __future__ import annotations

import functools
import importlib.util
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from edgekit.core.digest import sha256_bytes
from edgekit.core.elf import Elf
from edgekit.core.errors import DeviceError, UnsupportedError
from edgekit.core.firmware import Block
from edgekit.emulators._commands import run
from edgekit.emulators._cortex_m.profile import enter_address, layer_names, leave_address
from edgekit.emulators._paths import default_cache_dir

_SOURCE = Path(__file__).with_name("count.c")
_FLAGS = ("-O2", "-std=c11", "-D_GNU_SOURCE", "-shared", "-fPIC", "-fvisibility=hidden")
_TIMEOUT_S = 120.0
_REMEDY = "sudo apt-get install --no-install-recommends gcc libc6-dev, or pip install 'edgekit-deploy[mcu]'"


@dataclass(frozen=True, kw_only=True)
class Counted:
    """What the plugin counted in one invoke.

    Attributes:
        instructions: all of them.
        parts: (address of the layer's function, instructions) in the order of their first run; address 0: before.
        blocks: the profile.
    """

    instructions: int
    parts: tuple[tuple[int, int], ...]
    blocks: tuple[Block, ...]


def host_compiler() -> tuple[str, ...] | None:
    """What compiles for this computer, None when nothing does."""
    for name in ("cc", "gcc", "clang"):
        if (found := shutil.which(name)) is not None:
            return (found,)
    zig = importlib.util.find_spec("ziglang")
    return None if zig is None or zig.origin is None else (str(Path(zig.origin).with_name("zig")), "cc")


@functools.cache
def plugin(cache_dir: Path | None = None) -> Path:
    """The compiled plugin, from the cache or made now.

    Raises:
        UnsupportedError: there is no compiler for this computer.
        DeviceError: it refuses our source.
    """
    compiler = host_compiler()
    if compiler is None:
        raise UnsupportedError("counting instructions needs a C compiler for this computer", hint=_REMEDY)
    key = sha256_bytes(_SOURCE.read_bytes() + " ".join((*compiler, *_FLAGS)).encode())[:16]
    folder = (cache_dir or default_cache_dir()) / "cortex_m"
    made = folder / f"count-{key}.so"
    if not made.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as name:
            fresh = Path(name) / "count.so"
            env = {f"ZIG_{kind}_CACHE_DIR": str(folder / "zig") for kind in ("GLOBAL", "LOCAL")}
            run([*compiler, *_FLAGS, "-o", fresh, _SOURCE], timeout_s=_TIMEOUT_S, env=env, error=DeviceError)
            fresh.replace(made)
    return made


@contextmanager
def counting(elf: Elf) -> Iterator[tuple[list[str], Path]]:
    """QEMU's arguments for counting the first invoke of an image, and the file that they make it write."""
    with tempfile.TemporaryDirectory(prefix="edgekit-count-") as name:
        out = Path(name) / "counts"
        arguments = {"enter": hex(enter_address(elf)), "leave": hex(leave_address(elf)), "out": str(out)}
        parts = [f"part={address:#x}" for address in sorted(layer_names(elf))]
        words = [f"{key}={value}" for key, value in arguments.items()] + parts
        yield ["-plugin", ",".join([str(plugin()), *words])], out


def read_counts(path: Path) -> Counted:
    """What the plugin wrote.

    Raises:
        DeviceError: nothing, or not for a whole invoke.
    """
    text = path.read_text(encoding="ascii") if path.exists() else ""
    rows: dict[str, list[list[int]]] = {"total": [], "part": [], "block": []}
    for word, *numbers in map(str.split, text.splitlines()):
        rows[word].append([int(number, 16) for number in numbers])
    if not rows["total"]:
        raise DeviceError("QEMU's plugin saw no whole inference", hint="is the image one of edgekit's?")
    return Counted(
        instructions=rows["total"][0][0],
        parts=tuple((address, count) for address, count in rows["part"]),
        blocks=tuple(
            Block(address=address, instructions=length, entries=entries)
            for address, length, entries in sorted(rows["block"])
        ),
    )
