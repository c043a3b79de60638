"""A file system that forgets: from the system calls of an agent, what a power cut may have left on the disk.

What is promised is what POSIX promises, no more: bytes of a file last once it was fsynced, a name in a folder once the
folder was. Until then each write may be there wholly, half, as zeros (the new length without the bytes) or not at all,
and of the changes to folders any may be there without the others. A rename is one change; across two folders the old
name may outlive the new one's arrival, never the other way round. Pillai et al., "All File Systems Are Not Created
Equal", OSDI 2014, found each of these on a file system in use. After a failed fsync the bytes count as lost for good
(Rebello et al., USENIX ATC 2020).
"""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from edgekit.selftest.lab.strace import Call

Image = dict[str, tuple[str, bytes]]
"""What lies under each path below the top: "d" (a folder), "f" (a file, its bytes) or "l" (a link, its target)."""

_TOP = 0
_LAST = 3


@dataclass(frozen=True, eq=False)
class _Change:
    """One step in one folder: names that get a node, or None where they lose it; `after` has to be there for it."""

    folder: int
    names: tuple[tuple[str, int | None], ...]
    after: _Change | None = None


class ForgetfulDisk:
    """Follows the calls of a process and knows what would last.

    Args:
        top: the folder that the model is about, an absolute path without links; it lasts itself.
        image: what lies there, all of it durable.
        whole: says of a path below the top that the bytes there are of no interest; none are kept.
    """

    def __init__(self, top: str, image: Image, whole: Callable[[str], bool]) -> None:
        self._top = top
        self._whole = whole
        self._kinds = {_TOP: "d"}
        self._live: dict[int, dict[str, int]] = {_TOP: {}}
        self._durable: dict[int, dict[str, int]] = {}
        self._bytes: dict[int, bytes] = {}
        self._durable_bytes: dict[int, bytes] = {}
        self._dirty: dict[int, bool] = {}
        self._lost: set[int] = set()
        self._pending: list[_Change] = []
        self._open: dict[int, tuple[int, int]] = {}
        self._steps: dict[str, Callable[[Call], None]] = {
            "open": self._opened,
            "write": self._wrote,
            "pwrite": self._wrote,
            "lseek": self._sought,
            "ftruncate": self._truncated,
            "fsync": self._synced,
            "fdatasync": self._synced,
            "syncfs": self._synced_all,
            "rename": self._renamed,
            "link": self._linked,
            "symlink": self._symlinked,
            "mkdir": self._made_folder,
            "unlink": self._removed,
            "rmdir": self._removed,
        }
        for path in sorted(image):
            kind, data = image[path]
            data = b"" if kind == "f" and whole(path) else data
            node = self._new(kind, data)
            self._durable_bytes[node] = data
            folder, name = self._parent(path)
            self._live[folder][name] = node
        self._durable = {folder: dict(names) for folder, names in self._live.items()}

    def start_process(self) -> None:
        """What follows comes from another process: no file is open."""
        self._open.clear()

    def follow(self, call: Call) -> None:
        """One more call has returned."""
        name = call.name.removesuffix("2").removesuffix("at").removesuffix("64")
        failed_fsync = call.error and name.endswith("sync")
        if name in self._steps and call.result is not None and (failed_fsync or not call.error):
            self._steps[name](call)

    def images(self, limit: int, random: Random) -> Iterator[Image]:
        """What a power cut at this moment may leave: everything where that is little, else a sample.

        The sample begins with the changes in their order, cut off at each of the last (those before were cut at other
        moments), and the same fate for the bytes of all files; then any of them without the others, at random.

        Args:
            limit: how many at most; some may be equal.
            random: chooses.
        """
        changes, files = list(self._pending), sorted(self._dirty)
        fates = [self._fates(node) for node in files]
        if self.is_small(limit):
            for kept in itertools.product((False, True), repeat=len(changes)):
                for fate in itertools.product(*fates):
                    yield self._image(list(itertools.compress(changes, kept)), dict(zip(files, fate, strict=True)))
            return
        worst = max(map(len, fates), default=1)
        cuts = range(len(changes), max(-1, len(changes) - _LAST), -1)
        ordered = list(itertools.product(cuts, range(worst)))
        for cut, which in ordered[:limit]:
            contents = [one[which % len(one)] for one in fates]
            yield self._image(changes[:cut], dict(zip(files, contents, strict=True)))
        for _ in range(limit - len(ordered)):
            chosen = [change for change in changes if random.random() < 0.5]
            yield self._image(chosen, {node: random.choice(one) for node, one in zip(files, fates, strict=True)})

    def image_now(self) -> Image:
        """What the kernel knows."""
        image: Image = {}
        self._walk(_TOP, "", self._live, self._bytes, image)
        return image

    def is_small(self, limit: int) -> bool:
        """Whether `images` yields everything."""
        return (1 << len(self._pending)) * math.prod(len(self._fates(node)) for node in self._dirty) <= limit

    def _fates(self, node: int) -> list[bytes]:
        """What may be there of a file whose bytes were not fsynced."""
        new, old = self._bytes[node], self._durable_bytes.get(node, b"")
        same = _common(new, old)
        fates = [new, old, new[: same + (len(new) - same) // 2], new[:same] + bytes(len(new) - same)]
        if self._dirty[node]:
            fates.append(b"")
        return list(dict.fromkeys(fates))

    def _image(self, changes: Sequence[_Change], contents: dict[int, bytes]) -> Image:
        folders = {folder: dict(names) for folder, names in self._durable.items()}
        done = set()
        for change in changes:
            if change.after is not None and change.after not in done and change.after in self._pending:
                continue
            done.add(change)
            _apply(change, folders[change.folder])
        image: Image = {}
        self._walk(_TOP, "", folders, contents, image)
        return image

    def _walk(
        self, folder: int, path: str, folders: dict[int, dict[str, int]], contents: dict[int, bytes], image: Image
    ) -> None:
        for name, node in folders[folder].items():
            kind, place = self._kinds[node], path + name
            if kind == "d":
                image[place] = ("d", b"")
                self._walk(node, place + "/", folders, contents, image)
            else:
                image[place] = (kind, contents.get(node, self._bytes[node]))

    def _new(self, kind: str, data: bytes = b"") -> int:
        node = len(self._kinds)
        self._kinds[node] = kind
        if kind == "d":
            self._live[node] = {}
            self._durable[node] = {}
        else:
            self._bytes[node] = data
        return node

    def _parent(self, path: str) -> tuple[int, str]:
        *folders, name = path.split("/")
        node = _TOP
        for folder in folders:
            node = self._live[node][folder]
        return node, name

    def _relative(self, path: str) -> str | None:
        return path[len(self._top) + 1 :] if path.startswith(self._top + "/") else None

    def _find(self, path: str) -> int | None:
        """The node of an absolute path, links not followed; None for what is outside or not there."""
        if path == self._top:
            return _TOP
        relative = self._relative(path)
        if relative is None:
            return None
        try:
            folder, name = self._parent(relative)
        except KeyError:
            return None
        return self._live[folder].get(name)

    def _change(self, path: str, node: int | None, *, gone: str = "", after: _Change | None = None) -> _Change | None:
        """Note that a name gets a node or loses it; `gone` loses its node in the same step."""
        relative = self._relative(path)
        if relative is None:
            return None
        folder, name = self._parent(relative)
        names: list[tuple[str, int | None]] = [(name, node)]
        if gone:
            names.insert(0, (gone.rpartition("/")[2], None))
        change = _Change(folder, tuple(names), after)
        _apply(change, self._live[folder])
        self._pending.append(change)
        return change

    def _written(self, node: int, data: bytes, path: str) -> None:
        relative = self._relative(path)
        is_shorter = len(data) < len(self._bytes[node])
        self._bytes[node] = data
        if relative is not None and self._whole(relative):
            return
        is_new = not self._durable_bytes.get(node)
        self._dirty[node] = self._dirty.get(node, False) or is_shorter or is_new

    def _synced(self, call: Call) -> None:
        if call.descriptor not in self._open:
            return
        node, _ = self._open[call.descriptor]
        if self._kinds[node] == "d":
            if not call.error and call.result == 0:
                self._keep_changes(lambda change: change.folder == node)
        elif call.error and call.error != "EINTR":  # an interrupted call has not begun to write
            self._lost.add(node)
        elif call.result == 0 and node not in self._lost:
            self._durable_bytes[node] = self._bytes[node]
            self._dirty.pop(node, None)

    def _synced_all(self, _call: Call) -> None:
        self._keep_changes(lambda _: True)
        for node in [node for node in self._dirty if node not in self._lost]:
            self._durable_bytes[node] = self._bytes[node]
            del self._dirty[node]

    def _keep_changes(self, wanted: Callable[[_Change], bool]) -> None:
        for change in [one for one in self._pending if wanted(one)]:
            _apply(change, self._durable[change.folder])
            self._pending.remove(change)

    def _opened(self, call: Call) -> None:
        self._open.pop(call.result or 0, None)
        if call.path != self._top and self._relative(call.path) is None:
            return
        node = self._find(call.path)
        if node is None and "O_CREAT" in call.flags:
            node = self._new("f")
            self._change(call.path, node)
        if node is not None and self._kinds[node] != "l":
            self._open[call.result or 0] = (node, 0)
            if "O_TRUNC" in call.flags:
                self._written(node, b"", call.path)

    def _wrote(self, call: Call) -> None:
        if call.descriptor in self._open and self._relative(call.path) is not None:
            node, position = self._open[call.descriptor]
            at = call.numbers[-1] if call.name == "pwrite64" else position
            data = call.data[: call.result]
            old = self._bytes[node]
            if not self._is_whole(call.path):
                self._written(node, old[:at].ljust(at, b"\0") + data + old[at + len(data) :], call.path)
            if call.name != "pwrite64":
                self._open[call.descriptor] = (node, at + len(data))

    def _is_whole(self, path: str) -> bool:
        relative = self._relative(path)
        return relative is not None and self._whole(relative)

    def _sought(self, call: Call) -> None:
        if call.descriptor in self._open:
            self._open[call.descriptor] = (self._open[call.descriptor][0], call.result or 0)

    def _truncated(self, call: Call) -> None:
        if call.descriptor in self._open:
            node, _ = self._open[call.descriptor]
            size = call.numbers[-1]
            self._written(node, self._bytes[node][:size].ljust(size, b"\0"), call.path)

    def _renamed(self, call: Call) -> None:
        node = self._find(call.path)
        if node is None:
            return
        if call.path.rpartition("/")[0] == call.other.rpartition("/")[0]:
            self._change(call.other, node, gone=call.path)
        else:
            arrival = self._change(call.other, node)
            self._change(call.path, None, after=arrival)

    def _linked(self, call: Call) -> None:
        node = self._find(call.path)
        if node is not None:
            self._change(call.other, node)

    def _symlinked(self, call: Call) -> None:
        if self._relative(call.path) is not None:
            self._change(call.path, self._new("l", os.fsencode(call.other)))

    def _made_folder(self, call: Call) -> None:
        if self._relative(call.path) is not None:
            self._change(call.path, self._new("d"))

    def _removed(self, call: Call) -> None:
        if self._find(call.path) is not None:
            self._change(call.path, None)


def _apply(change: _Change, names: dict[str, int]) -> None:
    for name, node in change.names:
        if node is None:
            names.pop(name, None)
        else:
            names[name] = node


def _common(one: bytes, other: bytes) -> int:
    """How many bytes both begin with."""
    if one.startswith(other):
        return len(other)
    return next((at for at, (left, right) in enumerate(zip(one, other, strict=False)) if left != right), len(one))


def image_of(folder: Path) -> Image:
    """What lies in a folder."""
    image: Image = {}
    for path in sorted(folder.rglob("*")):
        place = str(path.relative_to(folder))
        if path.is_symlink():
            image[place] = ("l", os.fsencode(path.readlink()))
        else:
            image[place] = ("d", b"") if path.is_dir() else ("f", path.read_bytes())
    return image
