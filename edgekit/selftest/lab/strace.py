"""Processes under strace: which system calls touch a folder, in which order, and a fault at any one of them."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

CHANGING = (
    *("openat", "write", "pwrite64", "ftruncate", "fallocate", "fsync", "fdatasync", "syncfs"),
    *("rename", "renameat", "renameat2", "link", "linkat", "symlink", "symlinkat", "unlink", "unlinkat"),
    *("mkdir", "mkdirat", "rmdir", "chmod", "fchmod", "fchmodat"),
)
"""Calls that change a file system, or decide what a power cut leaves of it (openat: with O_CREAT)."""

LASTING = (*CHANGING, "lseek")
"""Those that `crash_model` follows; lseek tells where the next write goes."""

EVERYTHING = (
    *LASTING,
    *("stat", "lstat", "fstat", "newfstatat", "statx", "readlink", "readlinkat", "getdents64"),
    *("read", "pread64", "statfs", "fstatfs", "flock"),
)
"""Those that only look, too."""

_LINE = re.compile(r"(\w+)\((.*)")
_TEXT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
_DESCRIPTOR = re.compile(r"(?:^|, )(\d+|AT_FDCWD)<([^<>]*)>")
_NUMBER = re.compile(r", (\d+)(?=,|$)")


@dataclass(frozen=True, kw_only=True)
class Call:
    """One system call.

    Attributes:
        name: e.g. "renameat".
        nth: which call of this name it is in its process, from 1: strace's `when`.
        path: what it is about; "" for neither a path nor an open file.
        other: second path of a rename or link, or the text of a symbolic link.
        descriptor: that it is made on; -1 without one.
        data: of a write.
        numbers: plain numbers among the arguments, in order.
        flags: the arguments as strace shows them.
        result: None if it never returned.
        error: name of the errno, "" without.
    """

    name: str
    nth: int
    path: str
    other: str
    descriptor: int
    data: bytes
    numbers: tuple[int, ...]
    flags: str
    result: int | None
    error: str

    @property
    def is_changing(self) -> bool:
        """Whether it changes a file system, or makes a change last."""
        return self.name in CHANGING and (self.name != "openat" or "O_CREAT" in self.flags)

    def touches(self, folder: str) -> bool:
        """Whether it is about something in a folder, or the folder itself."""
        return any(path == folder or path.startswith(folder + "/") for path in (self.path, self.other))

    def named(self, folder: str) -> str:
        """For people: the call, which one it is, and on what below the folder."""
        place = self.path.removeprefix(folder).lstrip("/") or "."
        return f"{self.name} #{self.nth} ({place})"


def is_there() -> bool:
    """Whether strace is installed."""
    return shutil.which("strace") is not None


def command(trace: Path | None, *, inject: str = "", names: Sequence[str] = ()) -> list[str]:
    """How strace is called; what it runs comes behind. Threads and children are not traced.

    Args:
        trace: where to write the calls; None writes none.
        inject: e.g. "fsync:signal=KILL:when=3", see strace(1).
        names: the calls that are written, for `read`; none writes those that are injected into, for `has_struck`.
    """
    options = ["strace", "-o", str(trace or "/dev/null")]
    if names:
        options += ["-y", "-xx", "-s", str(1 << 26), "-e", "signal=none", "-e", "trace=" + _set(names)]
    elif inject:
        options += ["-e", "trace=" + inject.partition(":")[0]]
    return options + (["-e", "inject=" + inject] if inject else [])


def has_struck(trace: Path) -> bool:
    """Whether an error was injected."""
    return "(INJECTED)" in trace.read_text(encoding="ascii", errors="replace")


def _set(names: Iterable[str]) -> str:
    return ",".join("?" + name for name in names)  # "?": not every machine has all of them


def read(trace: Path) -> Iterator[Call]:
    """The calls in a file that `command` has had written."""
    seen: Counter[str] = Counter()
    with trace.open(encoding="ascii", errors="replace") as lines:
        for line in lines:
            match = _LINE.match(line)
            if match is not None:
                name, rest = match.groups()
                seen[name] += 1
                yield _parse(name, seen[name], rest.rstrip())


def _parse(name: str, nth: int, rest: str) -> Call:
    arguments, returned, answer = rest.rpartition(" = ")
    if not returned:
        arguments, answer = rest, "?"
    arguments = arguments.rstrip().removesuffix(")")
    texts = [bytes.fromhex(text.replace("\\x", "")) for text in _TEXT.findall(arguments)]
    descriptors = [(number, _plain(path)) for number, path in _DESCRIPTOR.findall(arguments)]
    is_write = name in ("write", "pwrite64")
    data = texts.pop(0) if is_write and texts else b""
    if name in ("read", "pread64", "getdents64"):
        texts = []
    paths = [_joined(text.decode("utf-8", "surrogateescape"), descriptors) for text in texts]
    if name.startswith("symlink") and len(texts) == 2:
        paths = [paths[1], texts[0].decode("utf-8", "surrogateescape")]
    if name.startswith("readlink"):
        paths = paths[:1]
    number, path = next(((int(one), path) for one, path in descriptors if one != "AT_FDCWD"), (-1, ""))
    if not paths:
        paths = [path]
    code = re.match(r"(-?\d+|\?)(?: (E\w+))?", answer)
    result, error = code.groups() if code else ("?", None)
    return Call(
        name=name,
        nth=nth,
        path=paths[0],
        other=paths[1] if len(paths) > 1 else "",
        descriptor=number,
        data=data,
        numbers=tuple(map(int, _NUMBER.findall(_TEXT.sub("", arguments)))),
        flags=_TEXT.sub("", arguments),
        result=None if result == "?" else int(result),
        error=error or "",
    )


def _plain(text: str) -> str:
    path = bytes.fromhex(text.replace("\\x", "")).decode("utf-8", "surrogateescape") if "\\x" in text else text
    return path.removesuffix(" (deleted)")


def _joined(path: str, descriptors: list[tuple[str, str]]) -> str:
    folder = descriptors[0][1] if descriptors else ""
    return path if path.startswith("/") or not folder else f"{folder}/{path}"
