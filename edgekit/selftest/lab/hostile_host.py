"""The host's side of P22 in a process of its own: `python -m edgekit.selftest.lab.hostile_host FOLDER SEED COUNT`."""

from __future__ import annotations

import dataclasses
import gc
import json
import os
import random
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edgekit.core.errors import EdgekitError, InternalError
from edgekit.device.client import DeviceClient
from edgekit.device.session import Session
from edgekit.selftest.lab.hostile_replies import TALKS, Lie, honest, lies
from edgekit.selftest.lab.replay import Player
from edgekit.transports._base import STDERR_TAIL_BYTES, StderrTail

_WARM = 200
_MAX_GROWTH_BYTES = 64 * 1024 * 1024
_MAX_MESSAGE = 20_000
_PEAK = "/proc/self/clear_refs"
_EXACT = frozenset({"manifest", "data"})
"""Fields that hold what came, byte by byte; they are hashed and parsed, never shown."""

_BELIEVED = sorted(set(TALKS) - {"measure", "refusal"})
"""Talks whose honest reply is believed when it is played: a time that takes none is refused, as a refusal is."""


def hear_all(said: dict[str, bytes], seed: int, count: int) -> dict[str, Any]:
    """Hear the lies out.

    Args:
        said: honest replies, the stuff that lies are made of.
        seed: of the lies.
        count: how many.

    Returns:
        Cases, failures and facts.
    """
    failures = [f"{talk}: an honest reply is refused" for talk in _BELIEVED if not _is_believed(talk, said[talk])]
    threads, refused, start = threading.active_count(), 0, 0
    for number, lie in enumerate(lies(said, random.Random(seed), count)):  # noqa: S311 - repeatable, not secret
        if number == _WARM:
            gc.collect()
            Path(_PEAK).write_text("5")  # proc(5): the peak starts anew
            start = _status_bytes("VmRSS")
        found = _hear(lie)
        refused += found == "refused"
        if found not in ("", "refused"):
            failures.append(f"{lie.name}: {found}")
    growth = _status_bytes("VmHWM") - start
    failures += [] if growth <= _MAX_GROWTH_BYTES else [f"the process grew by {growth} bytes"]
    failures += _flood_of_errors()
    failures += [] if threading.active_count() == threads else ["threads are left"]
    facts = {"growth_bytes": growth, "refused": refused, "error_flood_bytes": _FLOOD_CHUNKS * len(_FLOOD_CHUNK)}
    return {"cases": count + 1, "failures": failures, "facts": facts}


def _is_believed(talk: str, said: bytes) -> bool:
    try:
        with DeviceClient(Session(Player([said]))) as client:
            TALKS[talk](client)
    except EdgekitError:
        return False
    return True


def _hear(lie: Lie) -> str:
    """What is wrong with the way in which the host met a lie; "refused" for a typed error, "" for an answer."""
    try:
        with DeviceClient(Session(Player(lie.chunks, last_words=lie.last_words, status=lie.status))) as client:
            answer = (client.hello, TALKS[lie.talk](client))
    except InternalError as error:
        return f"a bug: {error}"
    except EdgekitError as error:
        texts = [error.message, error.hint or "", *_texts(error.details)]
        if len(error.message) > _MAX_MESSAGE:
            return f"a message of {len(error.message)} characters"
        return _unprintable(texts) or "refused"
    except Exception as error:
        return f"{type(error).__name__}: {error}"[:300]
    return _unprintable(_texts(answer))


def _texts(value: Any) -> Iterator[str]:
    """Every string that somebody might print."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            if field.name not in _EXACT:
                yield from _texts(getattr(value, field.name))
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _texts(key)
            yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, str):
        yield value


def _unprintable(texts: Any) -> str:
    for text in texts:
        if not text.isprintable():
            return f"a text that steers the terminal: {text[:100]!r}"
    return ""


_FLOOD_CHUNK, _FLOOD_CHUNKS = b"\x1b[31mno! " * 4096, 2048


def _flood_of_errors() -> list[str]:
    """64 MiB of error output, read as a transport reads it: it neither blocks nor stays."""
    chunks = iter([_FLOOD_CHUNK] * _FLOOD_CHUNKS)
    tail = StderrTail(lambda _limit: next(chunks, b""), "flood")
    tail.wait_ended(60)
    tail.join(60)
    kept = len(tail.text())
    return [] if tail.ended and kept <= STDERR_TAIL_BYTES else [f"{kept} bytes of error output are kept"]


def _note_writing(event: str, arguments: tuple[Any, ...], written: list[str]) -> None:
    """An audit hook (PEP 578): what is opened to be written."""
    if event == "open" and arguments[0] != _PEAK and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
        written.append(str(arguments[0]))


def _status_bytes(name: str) -> int:
    """A size in /proc/self/status, which is in KiB there."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:"))


def _main(folder: Path, seed: int, count: int) -> None:
    said, written = honest(folder), list[str]()
    sys.addaudithook(lambda event, arguments: _note_writing(event, arguments, written))
    found = hear_all(said, seed, count)
    found["failures"] += [f"opened for writing: {path}" for path in written]
    sys.stdout.buffer.write(json.dumps(found).encode())


if __name__ == "__main__":
    _main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
