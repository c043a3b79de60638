"""The limited child that a model runs in; whatever happens to it is a result."""

from __future__ import annotations

import json
import math
import os
import re
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from device_agents.linux import durable, environment, protocol, strays
from device_agents.linux.errors import HostGoneError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

GIB = 1024**3
_TAIL_BYTES = 4096
_GRACE_S = 5.0
"""A child that has answered and not ended within this time is killed."""

_MORE_TASKS = 512
"""So many processes and threads more than the whole machine has now end a fork bomb, and are enough for any runtime."""

_SECRET = re.compile("SECRET|TOKEN|PASSW|PASSPHRASE|CREDENTIAL|(API|ACCESS|PRIVATE)_?KEY|^SSH_", re.IGNORECASE)
"""Names of variables that are nothing for a model's process."""

_CODES = ("E_DEVICE", "E_INPUT", "E_UNSUPPORTED")
"""What a job may answer; a model that answers in its place must not speak for the agent, or for the host."""

_NO_MEMORY = ("bad_alloc", "MemoryError", "Cannot allocate memory", "out of memory")


@dataclass(frozen=True)
class Outcome:
    """What became of a child.

    Attributes:
        child: `{exit, signal, message, max_rss_bytes}` as the protocol has it.
        result: what the job answered; None unless `exit` is "ok".
        code: the protocol error that the job itself names, e.g. E_INPUT for data of another shape.
    """

    child: dict[str, Any]
    result: dict[str, Any] | None
    code: str | None


def limits(timeout_s: float, memory_bytes: int | None, file_bytes: int) -> dict[str, int]:
    """The resource limits of a job, by the names of `resource.RLIMIT_*`.

    Args:
        timeout_s: wall-clock limit; all cores may be busy for so long.
        memory_bytes: RLIMIT_AS; it counts reserved addresses, not used memory, and NumPy and XNNPACK reserve 1 to 1.5
            GiB on machines that have 1 GiB. None: 1 GiB more than 3/4 of the memory, at least 2 GiB.
        file_bytes: the longest file that the child may write.
    """
    total = environment.memory_total_bytes() or 0
    tasks = environment.tasks()
    return {
        **({} if tasks is None else {"NPROC": tasks + _MORE_TASKS}),
        "AS": memory_bytes or max(2 * GIB, GIB + total * 3 // 4),
        "CPU": math.ceil(timeout_s) * len(os.sched_getaffinity(0)) + 1,
        "FSIZE": file_bytes,
        "CORE": 0,
        "NOFILE": 256,
    }


@strays.ended()
def run(
    job: dict[str, Any],
    *,
    agent_path: str,
    folder: str,
    descriptors: Iterable[int],
    timeout_s: float,
    hangup: int,
    write_bytecode: bool = False,
    launcher: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
) -> Outcome:
    """Run one job in a process of its own, and kill whatever it has started in the end.

    Args:
        job: what `child.main` reads; must hold `limits`.
        agent_path: the zipped agent, which is also the child's program.
        folder: the child's working folder.
        descriptors: open files that the child inherits under the same numbers.
        timeout_s: wall-clock limit.
        hangup: the host's end; when it closes, the child is killed.
        write_bytecode: whether imports may leave .pyc files.
        launcher: words before the command, of a program that runs its arguments.
        environment: more variables for the child.

    Raises:
        HostGoneError: the host went away; the child is dead.
    """
    result_in, result_out = os.pipe()
    try:
        process = subprocess.Popen(
            [*launcher, sys.executable, *([] if write_bytecode else ["-B"]), agent_path, "worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            cwd=folder if os.path.isdir(folder) else "/",
            env={**_child_environment(), **(environment or {})},
            pass_fds=[result_out, *descriptors],
            start_new_session=True,
        )
    except BaseException:
        os.close(result_in)
        raise
    finally:
        os.close(result_out)
    try:
        with process, os.fdopen(result_in, "rb", buffering=0) as results:
            return _attend(process, dict(job, result_fd=result_out), results.fileno(), timeout_s, hangup)
    finally:
        if process.returncode is None:
            _kill(process)


def _attend(
    process: subprocess.Popen[bytes], job: dict[str, Any], results: int, timeout_s: float, hangup: int
) -> Outcome:
    assert process.stdin is not None  # PIPE
    assert process.stderr is not None  # PIPE
    errors = process.stderr.fileno()
    deadline = time.monotonic() + timeout_s
    try:
        with suppress(BrokenPipeError), process.stdin:
            durable.write_all(process.stdin.fileno(), json.dumps(job).encode())
        answer, tail = _collect(results, errors, deadline, hangup)
        timed_out = not _wait(process.pid, min(deadline, time.monotonic() + _GRACE_S))
    finally:
        status, max_rss_bytes = _kill(process)
    killed_by = os.WTERMSIG(status) if os.WIFSIGNALED(status) else None
    return _classify(answer, tail, timed_out, killed_by, max_rss_bytes)


def _collect(results: int, errors: int, deadline: float, hangup: int) -> tuple[bytes, bytes]:
    """Read until the answer is complete, the child closes its result pipe, or the time is over."""
    poller = select.poll()
    poller.register(results, select.POLLIN)
    poller.register(errors, select.POLLIN)
    poller.register(hangup, select.POLLRDHUP)  # without POLLIN: requests that wait there are no hang-up
    answer, tail = b"", b""
    while (rest_s := deadline - time.monotonic()) > 0:
        for descriptor, flags in poller.poll(rest_s * 1000 + 1):
            if descriptor == hangup:
                if flags & (select.POLLHUP | select.POLLRDHUP | select.POLLERR):
                    raise HostGoneError("the host went away while a child was running")
                continue
            chunk = os.read(descriptor, 65536)
            if not chunk:
                if descriptor == results:
                    return answer, tail
                poller.unregister(errors)
            elif descriptor == results:
                answer = (answer + chunk)[: protocol.MAX_LINE + 1]
                if answer.endswith(b"\n"):  # do not wait for the end: a process that it started may hold the pipe
                    return answer, tail
            else:
                tail = (tail + chunk)[-_TAIL_BYTES:]
    return answer, tail


def _wait(pid: int, deadline: float) -> bool:
    """Whether the child ended by itself; it stays a zombie, so that its group can still be killed by its pid."""
    while os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is None:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.002)
    return True


def _kill(process: subprocess.Popen[bytes]) -> tuple[int, int]:
    """End the child's session, reap the child; returns its wait status and its peak resident bytes."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
    return status, usage.ru_maxrss * 1024


def _classify(answer: bytes, tail: bytes, timed_out: bool, killed_by: int | None, max_rss_bytes: int) -> Outcome:
    text = _printable(tail)

    def outcome(
        exit_: str, message: str | None, result: dict[str, Any] | None = None, code: str | None = None
    ) -> Outcome:
        facts = {"exit": exit_, "signal": killed_by, "message": message, "max_rss_bytes": max_rss_bytes}
        return Outcome(facts, result, code)

    try:
        said = protocol.decode_message(answer) if answer.endswith(b"\n") else None
    except protocol.FrameError:
        said = None
    if timed_out or killed_by == signal.SIGXCPU:
        return outcome("timeout", "it did not finish in time")
    result = None if said is None else said.get("result")
    if isinstance(result, dict):
        return outcome("ok", None, result=result)
    if said is not None:
        code = said.get("code")
        return outcome(
            "oom" if code == "oom" else "error",
            _printable(str(said.get("message")).encode())[-2000:],
            code=str(code) if code in _CODES else None,
        )
    if killed_by == signal.SIGKILL:  # we kill only after the child has ended, or as a timeout
        return outcome("oom", "the system killed it, most likely for memory")
    if any(word in text for word in _NO_MEMORY):
        return outcome("oom", text)
    if killed_by is not None:
        return outcome("signal", "killed by {}{}".format(signal.Signals(killed_by).name, ": " + text if text else ""))
    return outcome("error", text or "it ended without an answer")


def _child_environment() -> dict[str, str]:
    """The device owner's environment (QEMU_CPU, LD_LIBRARY_PATH ...) without Python's switches, and without secrets."""
    kept = {
        key: value
        for key, value in os.environ.items()
        if (not key.startswith("PYTHON") or key == "PYTHONPATH") and not _SECRET.search(key)
    }
    return dict(kept, OPENBLAS_NUM_THREADS="1")  # NumPy's BLAS would reserve address space for every core


def _printable(raw: bytes) -> str:
    text = raw.decode("utf-8", "replace")
    return "".join(char if char.isprintable() or char == "\n" else "?" for char in text).strip()
