"""Foreign code in a child process: no network, its own stdout, limits, and errors that come back as ours.

Frameworks print on stdout, keep global state and crash; a model file is a program of a stranger. So both stay out of
the process that the user talks to. One `Isolate` serves many calls, so a framework is imported once.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from types import TracebackType
from typing import Any, Self

from edgekit.core.errors import DeadlineError, EdgekitError, InternalError, UnsupportedError, from_json
from edgekit.core.events import Event, OnEvent, ignore

DEFAULT_TIMEOUT_S = 1800.0
OnAsk = Callable[[Mapping[str, Any]], Any]
"""Answers a question of the child, JSON in and out; a ValueError tells the child that the question is wrong."""

_LOG_TAIL_BYTES = 4000
_DEATH_S = 10.0
"""A killed process is gone in milliseconds, unless a disk or a driver holds it."""
_ENVIRONMENT = {
    "CUDA_VISIBLE_DEVICES": "",  # a conversion needs no GPU, and looking for one takes seconds
    "PYTHONHASHSEED": "0",  # same input, same bytes
    "TF_CPP_MIN_LOG_LEVEL": "2",
    "TF_USE_LEGACY_KERAS": "0",
}


class Isolate:
    """A child process that calls functions by name.

    Args:
        user_code: the calls are the user's own functions: the working folder is importable and the network stays.
        memory_limit_bytes: limit of the child's address space; None for none.

    Use as a context manager; the child starts with the first call and is killed on exit. It has a folder of its own for
    temporary files, which goes with it: a framework that is killed cannot clean up.
    """

    def __init__(self, *, user_code: bool = False, memory_limit_bytes: int | None = None) -> None:
        self._options = {"user_code": user_code, "memory_limit_bytes": memory_limit_bytes}
        self._process: subprocess.Popen[bytes] | None = None
        self._requests = self._replies = -1
        self._log: Any = None
        self._pending = b""
        self._held = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def call(
        self,
        function: str,
        params: Mapping[str, Any],
        *,
        what: str,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        on_event: OnEvent = ignore,
        on_ask: OnAsk | None = None,
    ) -> Any:
        """Call `module:function(**params)` in the child and return its result.

        Args:
            function: dotted module and function name, e.g. "edgekit.passes._child:describe", or a file and a function,
                f"{__file__}:convert", for a plug-in that is one file.
            params: JSON values only.
            what: what the call does, for messages, e.g. "reading model.keras".
            timeout_s: limit in seconds; the child is killed when it is over.
            on_event: told of what the function says with `edgekit.core.progress.tell`.
            on_ask: answers what the function asks with `edgekit.core.questions.ask`; what it raises, a ValueError
                excepted, ends the child and the call. None refuses every question.

        Raises:
            EdgekitError: what the function raised, if it is one of ours.
            UnsupportedError: the function raised something else, or the child died or answered nonsense.
            DeadlineError: the limit is over.
        """
        if self._process is None or self._process.poll() is not None:
            self._start()
        line = json.dumps({"function": function, "params": dict(params)}).encode() + b"\n"
        try:
            self._send(line, what)
            deadline = time.monotonic() + timeout_s
            while not (reply := self._read_reply(deadline, what, timeout_s)).keys() & {"result", "error"}:
                if "event" in reply:
                    on_event(Event(phase="work", **reply["event"]))
                else:
                    self._send(_answer(reply["ask"], on_ask), what)
        except BaseException:
            self.close()
            raise
        if "error" in reply:
            raise self._translate(reply["error"], what)
        return reply["result"]

    def close(self) -> None:
        """Kill the child and release what it held."""
        process, self._process = self._process, None
        if process is not None:
            _kill(process)
        self._held.close()

    def _start(self) -> None:
        self.close()
        with ExitStack() as held, ExitStack() as lent:
            folder = held.enter_context(tempfile.TemporaryDirectory(prefix="edgekit-", ignore_cleanup_errors=True))
            self._log = held.enter_context(tempfile.TemporaryFile())
            child_reads, self._requests = _pipe(reader=lent, writer=held)
            self._replies, child_writes = _pipe(reader=held, writer=lent)
            self._pending = b""
            arguments = json.dumps({**self._options, "requests": child_reads, "replies": child_writes})
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "edgekit.core._isolated", arguments],
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=self._log,
                env={**os.environ, **_ENVIRONMENT, **dict.fromkeys(("TMPDIR", "TEMP", "TMP"), folder)},
                pass_fds=(child_reads, child_writes),
                start_new_session=True,
            )
            self._held = held.pop_all()

    def _send(self, line: bytes, what: str) -> None:
        try:
            while line:
                line = line[os.write(self._requests, line) :]
        except BrokenPipeError as cause:  # to the command line that would look like `| head`
            raise self._death(what) from cause

    def _read_reply(self, deadline: float, what: str, timeout_s: float) -> dict[str, Any]:
        while b"\n" not in self._pending:
            ready, _, _ = select.select([self._replies], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                raise DeadlineError(f"{what} took longer than {timeout_s:g} s", hint="raise the limit with --timeout")
            chunk = os.read(self._replies, 1024 * 1024)
            if not chunk:
                raise self._death(what)
            self._pending += chunk
        line, _, self._pending = self._pending.partition(b"\n")
        try:
            return _checked(json.loads(line))
        except (ValueError, RecursionError) as cause:  # code of a stranger wrote into our pipe
            raise self._failure(what, "gave an answer that makes no sense") from cause

    def _death(self, what: str) -> EdgekitError:
        assert self._process is not None
        code = _kill(self._process)  # it may have closed its pipe and live on; one that ended keeps its code
        if code is None:
            return self._failure(what, "closed its pipe and cannot be killed")
        return self._failure(
            what, f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        )

    def _failure(self, what: str, did: str) -> EdgekitError:
        hint = "the file may be hostile or the memory too small; --debug shows the log"
        return UnsupportedError(f"{what} failed: the process that did it {did}", hint=hint, log=self._log_tail())

    def _log_tail(self) -> str:
        self._log.seek(0, os.SEEK_END)
        self._log.seek(max(0, self._log.tell() - _LOG_TAIL_BYTES))
        return str(self._log.read().decode("utf-8", "replace"))

    def _translate(self, error: dict[str, Any], what: str) -> EdgekitError:
        if "type" not in error:
            return from_json(error)
        if error["type"] == "ModuleNotFoundError":
            return UnsupportedError(
                f"{what} needs the Python package {error['module']!r}, which is not installed",
                hint=_extra_for(error["module"]),
            )
        if error["type"] == "AssertionError":
            return InternalError(f"{what} failed: {error['message']}", traceback=error["traceback"])
        first_line = str(error["message"]).strip().partition("\n")[0][:300]
        return UnsupportedError(
            f"{what} failed: {error['type']}: {first_line}",
            hint="--debug shows the whole message",
            traceback=error["traceback"],
            log=self._log_tail(),
        )


def _pipe(*, reader: ExitStack, writer: ExitStack) -> tuple[int, int]:
    reads, writes = os.pipe()
    reader.callback(os.close, reads)
    writer.callback(os.close, writes)
    return reads, writes


def _kill(process: subprocess.Popen[bytes]) -> int | None:
    """End the child and all that it started; returns its exit code, None for one that does not die."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    try:
        return process.wait(_DEATH_S)
    except subprocess.TimeoutExpired:
        return None


def _answer(question: dict[str, Any], on_ask: OnAsk | None) -> bytes:
    """The line that answers a question."""
    try:
        if on_ask is None:
            raise ValueError("nobody answers questions here")
        reply = {"answer": on_ask(question)}
    except ValueError as wrong:
        reply = {"refused": str(wrong)}
    return json.dumps(reply).encode() + b"\n"


def _checked(reply: Any) -> dict[str, Any]:
    """The reply, if `edgekit.core._isolated` could have written it.

    Raises:
        ValueError: it could not.
    """
    if isinstance(reply, dict) and "event" in reply:
        return {"event": _checked_event(reply["event"])}
    if isinstance(reply, dict) and isinstance(reply.get("ask"), dict):
        return {"ask": reply["ask"]}
    if not isinstance(reply, dict) or not ("result" in reply or isinstance(reply.get("error"), dict)):
        raise ValueError("neither a result nor an error")
    error = reply.get("error", {})
    if "type" in error and not {"type", "message", "module", "traceback"} <= error.keys():
        raise ValueError("half an error")
    return reply


def _checked_event(event: Any) -> dict[str, Any]:
    """A message with its numbers, as `edgekit.core.progress` tells them."""
    if not isinstance(event, dict) or event.keys() != {"message", "done", "total"}:
        raise ValueError("no event")
    numbers = (event["done"], event["total"])
    if not isinstance(event["message"], str) or not all(n is None or type(n) is int for n in numbers):
        raise ValueError("an event with values of other types")
    return event


_EXTRAS = {
    "h5py": "tf",
    "tensorflow": "tf",
    "tf_keras": "tf",
    "tensorflow_model_optimization": "tf",
    "keras": "tf",
    "litert_quantizer": "litert",
    "ai_edge_litert": "litert",
    "torch": "torch",
    "PIL": "images",
    "ethosu": "mcu",
}


def _extra_for(module: str) -> str:
    package = _EXTRAS.get(module.partition(".")[0])
    return f"pip install 'edgekit-deploy[{package}]'" if package else f"install the package that holds {module!r}"
