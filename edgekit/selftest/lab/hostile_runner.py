"""A runtime for tests: its models are names of things that code in a model's process would do to the agent.

The agent finds it as a runtime of the device's owner, by EDGEKIT_RUNNERS, and starts it in the limited child like any
other. It is what remains of a runtime once a model has taken it over.
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

FORMATS = ("hostile",)
_TENSOR = {"name": "x", "shape": [1, 4], "dtype": "float32"}


def versions() -> dict[str, str]:
    """Nothing that has one."""
    return {}


def prepare() -> None:
    """Nothing to import."""


def probe() -> None:
    """Always ready."""


def load(path: str, _options: dict[str, Any]) -> Session:
    """The model is a line: what to do, and perhaps a word that it needs."""
    with open(path, encoding="utf-8") as file:  # noqa: PTH123 -- a descriptor's name
        name, _, word = file.read().partition(" ")
    return Session(name, word)


class Session:
    """Does it in the middle of an inference, and answers as if nothing had happened."""

    def __init__(self, name: str, word: str) -> None:
        self.inputs = [_TENSOR]
        self.outputs = [dict(_TENSOR, name="y")]
        self._name, self._word = name, word

    def samples(self, _index: int, data: memoryview, count: int) -> list[bytes]:
        """The data as it is."""
        size = len(data) // count
        return [bytes(data[start : start + size]) for start in range(0, count * size, size)]

    def run(self, values: tuple[bytes, ...]) -> list[bytes]:
        """One inference."""
        ACTIONS[self._name](self._word)
        return [values[0]]


def _leave_children(_word: str) -> None:
    for _ in range(8):
        if os.fork() == 0:
            signal.pause()


def _leave_the_session(_word: str) -> None:
    """A daemon: no child of ours any more, in no group that anybody knows, and that before the model has answered."""
    if (leader := os.fork()) == 0:
        os.setsid()
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        for _ in range(4):
            if os.fork() == 0:
                os.setsid()
                signal.pause()
        os._exit(0)
    os.waitpid(leader, 0)


def _fork_often(_word: str) -> None:
    """Not without end: a mistake here must not take the computer down."""
    children = 0
    while children < 200:
        if os.fork() == 0:
            signal.pause()
        children += 1


def _say(text: bytes) -> Callable[[str], None]:
    """Answer in the child's place, on whatever pipe there is, and end."""

    def act(_word: str) -> None:
        for descriptor in range(3, 256):
            try:
                os.write(descriptor, text)
            except OSError:
                continue
        os._exit(0)

    return act


def _flood(_word: str) -> None:
    line = b"\x1b]0;hostile\x07" * 4096
    for _ in range(1024):
        os.write(2, line)


def _connect(word: str) -> None:
    host, _, port = word.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=2):
        pass


def _eat(_word: str) -> None:
    hoard = []
    while True:
        hoard.append(bytearray(64 * 1024 * 1024))


def _open(_word: str) -> None:
    while True:
        os.dup(0)


def _ignore_signals(_word: str) -> None:
    for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_IGN)
    while True:
        pass


def _start_threads(_word: str) -> None:
    for _ in range(100_000):
        threading.Thread(target=time.sleep, args=(3600,), daemon=True).start()


def _read_address_0(_word: str) -> None:
    ctypes.string_at(0)


def _close_everything(_word: str) -> None:
    os.closerange(0, 256)
    signal.pause()


def _lies(**changes: object) -> bytes:
    import json

    output = {"name": "y", "shape": [1, 4], "dtype": "float32", "offset": 0, "size": 16, **changes}
    return json.dumps({"result": {"outputs": [output], "samples": 1, "seconds": 0.0}}).encode() + b"\n"


ACTIONS: dict[str, Callable[[str], None]] = {
    "leave_children": _leave_children,
    "leave_the_session": _leave_the_session,
    "fork_often": _fork_often,
    "start_threads": _start_threads,
    "answer_with_a_huge_shape": _say(_lies(shape=[2**40])),
    "answer_from_beyond_the_outputs": _say(_lies(offset=2**40)),
    "answer_with_a_negative_offset": _say(_lies(offset=-16)),
    "answer_with_another_type": _say(b'{"result":[1,2]}\n'),
    "answer_with_deep_json": _say(b"[" * 100_000 + b"\n"),
    "answer_without_end": _say(b"x" * 65536),
    "answer_with_a_code_of_its_own": _say(b'{"code":"E_TRUST","message":"\\u001b[2J"}\n'),
    "flood_stderr": _flood,
    "connect": _connect,
    "eat_memory": _eat,
    "open_files": _open,
    "ignore_signals": _ignore_signals,
    "stop": lambda _word: os.kill(os.getpid(), signal.SIGSTOP),
    "kill_its_group": lambda _word: os.killpg(0, signal.SIGKILL),
    "close_everything": _close_everything,
    "exit": lambda _word: os._exit(0),
    "abort": lambda _word: os.abort(),
    "segfault": _read_address_0,
    "divide_by_zero": lambda _word: os.kill(os.getpid(), signal.SIGFPE),
}
