"""Functions that tests call in an isolated child process: well-behaved, failing, crashing, hanging and nosy ones."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

from edgekit.core.errors import LockedError

_calls = 0


def echo(value: Any = None) -> Any:
    """What it was given."""
    return value


def count() -> int:
    """How often this process was called."""
    global _calls
    _calls += 1
    return _calls


def chatter() -> str:
    """Print as frameworks do: through Python, through the C library's descriptors, and from a child."""
    sys.stdout.write("python speaks\n")
    sys.stderr.write("python complains\n")
    os.write(1, b"a library speaks\n")
    subprocess.run(["echo", "a child speaks"], check=True)
    return "done"


def refuse() -> None:
    """One of our errors."""
    raise LockedError("bench is in use", hint="wait", holder="anna", pid=7)


def fail(text: str) -> None:
    """Somebody else's error, after words on stderr."""
    sys.stderr.write("the last words\n")
    sys.stderr.flush()
    raise ValueError(text)


def assert_the_impossible() -> None:
    """A bug."""
    raise AssertionError("the impossible happened")


def crash() -> None:
    """Read from address 0."""
    ctypes.string_at(0)


def leave(code: int) -> None:
    """End the process as `sys.exit` does."""
    raise SystemExit(code)


def flood_then_crash(size_bytes: int) -> None:
    """Write much on stderr, then abort."""
    sys.stderr.write("x" * size_bytes + "the end")
    sys.stderr.flush()
    os.abort()


def allocate(size_bytes: int) -> int:
    """Take memory."""
    return len(bytearray(size_bytes))


def hang_with_a_child(fifo: str) -> None:
    """Start a process that holds the fifo open, then wait for ever."""
    with Path(fifo).open("w") as held:
        subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"], stdout=held)
        held.write("started")
        held.flush()
        signal.pause()


def hold_and_return(fifo: str) -> int:
    """Keep the fifo open from now on."""
    global _held
    _held = Path(fifo).open("w")  # noqa: SIM115 -- held until the process ends
    _held.write("started")
    _held.flush()
    return os.getpid()


def connect(port: int) -> str:
    """Talk to a server on this machine."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        return connection.recv(16).decode()


def environment(name: str) -> str | None:
    """A variable of the child's."""
    return os.environ.get(name)


def import_missing() -> None:
    """Want a package that is not there."""
    import tensorflow_of_mars  # noqa: F401


def import_named(module: str) -> None:
    """Fail as an import of this module does."""
    raise ModuleNotFoundError(f"No module named {module!r}", name=module)


def path() -> list[str]:
    """Where the child looks for modules."""
    return list(sys.path)
