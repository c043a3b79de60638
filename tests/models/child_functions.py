"""Functions that tests call in an isolated child process: well-behaved, failing, crashing, hanging and nosy ones."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
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


def answer(text: str) -> None:
    """Write on the pipe that is not ours, as a hostile model would."""
    os.write(json.loads(sys.argv[1])["replies"], text.encode() + b"\n")
    signal.pause()


def hang_up() -> None:
    """Close the pipe of the replies and live on."""
    os.close(json.loads(sys.argv[1])["replies"])
    signal.pause()


def temporary_file() -> str:
    """Leave a file where temporary files go, out of reach of an ordinary clean-up."""
    folder = tempfile.mkdtemp()
    Path(folder, "left behind").touch()
    return folder


def framework_scores(form: str, path: str, samples: list[Any]) -> list[Any]:
    """What the model's own framework answers, a sample a time."""
    import numpy as np

    batches = [np.asarray([sample], np.float32) for sample in samples]
    if form == "keras":
        import keras

        model = keras.saving.load_model(path)
        return [np.asarray(model(batch))[0].tolist() for batch in batches]
    if form == "saved_model":
        import tensorflow as tf

        loaded = tf.saved_model.load(path)
        return [np.asarray(loaded.serve(tf.constant(batch)))[0].tolist() for batch in batches]
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=path)
    interpreter.allocate_tensors()
    answers = []
    for batch in batches:
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], batch)
        interpreter.invoke()
        answers.append(interpreter.get_tensor(interpreter.get_output_details()[0]["index"])[0].tolist())
    return answers


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
