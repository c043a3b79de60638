"""Honest replies, and what a hostile device makes of them: bytes that differ, lines that lie, floods."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.core.errors import EdgekitError
from edgekit.device.client import DeviceClient
from edgekit.device.measured import MeasureRequest
from edgekit.device.session import Session
from edgekit.selftest.lab.agent_process import fake_release
from edgekit.selftest.lab.replay import Recorder

Talk = Callable[[DeviceClient], object]
_BATCH = np.arange(8, dtype=np.float32).reshape(2, 4)

TALKS: dict[str, Talk] = {
    "status": lambda client: client.status(manifest="active"),
    "stage": lambda client: client.stage(bytes(range(256)) * 64),
    "activate": lambda client: client.activate(fake_release().manifest),
    "infer": lambda client: client.infer([_BATCH]),
    "evaluate": lambda client: client.evaluate([_BATCH]),
    "measure": lambda client: client.measure(
        [_BATCH], MeasureRequest(processes=1, warmup=1, samples=3, min_seconds=0.0)
    ),
    "probe": lambda client: client.probe(["fake"]),
    "collect": lambda client: client.collect(keep=1),
    "refusal": lambda client: client.rollback("0" * 64),
}
"""What a host asks; each is a connection of its own."""

HOSTILE_TEXTS = (
    "\x1b]0;owned\x07\x1b[2J\x1b[1;1H",
    "\u202egnp.exe",
    "../../../../etc/cron.d/x",
    "/dev/sda",
    "\x00",
    "\r\nerror: all is well\r\n",
    "x" * 300_000,
    "\ud800",
    "; touch mark",
)
_HOSTILE_VALUES: tuple[Any, ...] = (
    *HOSTILE_TEXTS,
    *(float("nan"), float("inf"), -1, 0, 2**63, 2**70, 10**400, 1e308, True, None, [], {}, [[]], {"": {}}),
)
_DEPTH = 20_000


@dataclass(frozen=True, kw_only=True)
class Lie:
    """One thing that a device says.

    Attributes:
        name: what was done to the honest reply.
        talk: key of `TALKS`, what the host asks.
        chunks: what comes back, once.
        last_words: on stderr.
        status: of the program, None when nobody knows.
    """

    name: str
    talk: str
    chunks: Iterator[bytes]
    last_words: str = ""
    status: int | None = 0


def honest(folder: Path) -> dict[str, bytes]:
    """What a real agent says to each of `TALKS`.

    Args:
        folder: for its ROOT.
    """
    root, said = folder / "root", {}
    with DeviceClient(Session(Recorder(root))) as client:
        for data in fake_release().files:
            client.stage(data)
        client.activate(fake_release().manifest)
    for name, talk in TALKS.items():
        recorder = Recorder(root)
        with DeviceClient(Session(recorder)) as client, suppress(EdgekitError):
            talk(client)
        said[name] = bytes(recorder.said)
    return said


def lies(said: dict[str, bytes], chance: random.Random, count: int) -> Iterator[Lie]:
    """So many variations of honest replies, the floods last.

    Args:
        said: by `honest`.
        chance: makes all choices.
        count: how many.
    """
    floods = list(_floods(said, 1_000_000 if count > 10_000 else 100_000))
    for number in range(count - len(floods)):
        talk = chance.choice(sorted(said))
        kind = _KINDS[number % len(_KINDS)]
        data = kind(said[talk], chance)
        yield Lie(
            name=f"{kind.__name__.strip('_')} of {talk}",
            talk=talk,
            chunks=_in_pieces(data, chance.choice((1 << 20, 4096, 97))),
            last_words=chance.choice(("", *HOSTILE_TEXTS)),
            status=chance.choice((0, 1, 65, 74, 77, 78, 127, -9, None)),
        )
    yield from floods


def _in_pieces(data: bytes, size: int) -> Iterator[bytes]:
    return (data[start : start + size] for start in range(0, len(data), size))


def _floods(said: dict[str, bytes], lines: int) -> Iterator[Lie]:
    """What has no end, or a late one: each is refused or read past in bounded memory."""
    greeting, _, rest = said["status"].partition(b"EDGEKIT-AGENT/1\n")
    hello = rest.partition(b"\n")[0] + b"\n"
    start = greeting + b"EDGEKIT-AGENT/1\n" + hello
    event = b'{"id":2,"event":"progress","phase":"x","done":1,"total":2}\n'
    payload = b'{"id":3,"event":"payload","name":"y","size":4000000000,"sha256":"' + b"0" * 64 + b'"}\n'

    def flood(name: str, talk: str, first: bytes, piece: bytes, times: int) -> Lie:
        def chunks() -> Iterator[bytes]:
            yield first
            for _ in range(times):
                yield piece

        return Lie(name=name, talk=talk, chunks=chunks())

    yield flood(f"{lines:,} lines before the bootstrap", "status", b"", b"welcome\n" * 100, lines // 100)
    yield flood(f"{lines:,} lines before the agent", "status", greeting, b"welcome\n" * 100, lines // 100)
    yield flood("a line without an end", "status", start, b"x" * 65536, 4096)
    yield flood(f"{lines // 10:,} events", "status", start, event * 100, lines // 1000)
    yield flood(
        "a payload without an end", "infer", start + b'{"id":2,"result":{}}\n' + payload, b"\x00\x10\x00\x00", 9
    )
    yield flood("frames of 4 GiB", "infer", start + event, b"\xff\xff\xff\xff" + bytes(65536), 4096)
    deep = b'{"id":2,"result":' + b"[" * _DEPTH + b"]" * _DEPTH + b"}\n"
    yield flood("a deep list", "status", start, deep, 1)
    yield flood("a deep object", "status", start, b'{"id":2,"result":' + b'{"a":' * _DEPTH + b"\n", 1)
    yield flood("a long number", "status", start, b'{"id":2,"result":{"free_bytes":' + b"9" * 500_000 + b"}}\n", 1)


def _flip(data: bytes, chance: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(chance.randint(1, 8)):
        changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def _cut(data: bytes, chance: random.Random) -> bytes:
    return data[: chance.randrange(len(data))]


def _drop(data: bytes, chance: random.Random) -> bytes:
    start = chance.randrange(len(data))
    return data[:start] + data[start + chance.randint(1, 200) :]


def _double(data: bytes, chance: random.Random) -> bytes:
    start = chance.randrange(len(data))
    return data[:start] + data[start : start + chance.randint(1, 500)] + data[start:]


def _insert(data: bytes, chance: random.Random) -> bytes:
    start = chance.randrange(len(data))
    noise = chance.choice((chance.randbytes(50), b"\xff\xff\xff\xff", b"\x00\x00\x00\x00", b"\n", b"\x00" * 4096))
    return data[:start] + noise + data[start:]


def _reorder(data: bytes, chance: random.Random) -> bytes:
    lines = data.splitlines(keepends=True)
    first, second = chance.randrange(len(lines)), chance.randrange(len(lines))
    lines[first], lines[second] = lines[second], lines[first]
    return b"".join(lines)


def _repeat(data: bytes, chance: random.Random) -> bytes:
    lines = data.splitlines(keepends=True)
    lines.insert(chance.randrange(len(lines) + 1), chance.choice(lines))
    return b"".join(lines)


def _lie(data: bytes, chance: random.Random) -> bytes:
    """One value of one message is another one."""
    lines = data.splitlines(keepends=True)
    spots = [index for index, line in enumerate(lines) if line.startswith(b"{")]
    index = chance.choice(spots)
    try:
        message = json.loads(lines[index])
    except ValueError:
        return _flip(data, chance)  # it only looked like one, within a payload
    _replace_one(message, chance)
    lines[index] = json.dumps(message).encode("utf-8", "surrogatepass") + b"\n"
    return b"".join(lines)


def _replace_one(value: Any, chance: random.Random) -> None:
    """Go down at random, and put something hostile where the way ends; sometimes under a hostile name."""
    while True:
        keys = list(value) if isinstance(value, dict) else list(range(len(value)))
        key = chance.choice(keys)
        if not isinstance(value[key], dict | list) or not value[key] or chance.random() < 0.2:
            break
        value = value[key]
    if isinstance(value, dict) and chance.random() < 0.2:
        value[chance.choice(HOSTILE_TEXTS)] = value.pop(key)
    else:
        value[key] = chance.choice(_HOSTILE_VALUES)


_KINDS = (_flip, _cut, _drop, _double, _insert, _reorder, _repeat, _lie, _lie, _lie, _lie)
