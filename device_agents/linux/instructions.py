"""Instructions of one inference: exact by an emulator's counter where one runs us, else by the kernel's perf events.

An emulator names its counter in the device's environment, EDGEKIT_COUNTER: a program that runs its arguments. What runs
there asks for the count by a system call that no Linux has, with a descriptor to write it to as eight bytes.
"""

from __future__ import annotations

import ctypes
import gc
import itertools
import os
import struct
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from device_agents.linux.runners import Session
    from device_agents.linux.worker import Outcome

    Reader = Callable[[], int]

VARIABLE = "EDGEKIT_COUNTER"
ENVIRONMENT = {"PYTHONHASHSEED": "0"}
"""For a child that counts: with a hash seed of its own, each process takes other ways through Python's tables."""

EMULATOR, PERF = "qemu", "perf"
_PROCESSES = 2
"""The second one shows whether the count repeats."""

_PHASES = ((3, 10), (5, 9))
"""Least and most calls that warm up, and that count: Python 3.11 and newer change their own code in the first nine."""

_PLENTY = 1_000_000_000
"""Instructions of a phase that need no further calls; Python's share of a call that costs so much is nothing."""

_INPUTS = 5
_MARK = 3798

_PERF_EVENT_OPEN = {"x86_64": 298, "aarch64": 241, "armv7l": 364, "armv6l": 364, "riscv64": 241, "i686": 336}
_PERF_COUNT_HW_INSTRUCTIONS = 1
_ATTRIBUTE_BYTES = 64
_EXCLUDE_KERNEL, _EXCLUDE_HYPERVISOR = 1 << 5, 1 << 6
_CLOSE_ON_EXEC = 8


class NoCounterError(Exception):
    """Nothing counts here; the text says why."""


def measure(start: Callable[[Sequence[str]], Outcome]) -> dict[str, Any]:
    """Count in fresh processes; called by the agent.

    Args:
        start: runs the job `instructions` in a child that is started through these words.

    Returns:
        `instructions` {value, low, high, calls, exact, source} or None, and `instructions_reason` why None. A count is
        exact if an emulator made it and each process found the same.
    """
    counter = os.environ.get(VARIABLE)
    if counter and not os.access(counter, os.X_OK):
        return _unknown("the emulator that runs this device has no counter; it says why when it is brought up")
    outcomes: list[dict[str, Any]] = []
    for _ in range(_PROCESSES):
        outcome = start([counter] if counter else [])
        if outcome.result is None:
            return _unknown(str(outcome.child["message"]))
        if outcome.result["reason"] is not None:
            return _unknown(outcome.result["reason"])
        outcomes.append(outcome.result)
    counts = sorted(count for outcome in outcomes for count in outcome["counts"])
    medians = {_median(outcome["counts"]) for outcome in outcomes}
    source = outcomes[0]["source"]
    found = {
        "value": min(medians) if len(medians) == 1 else _median(counts),
        "low": counts[0],
        "high": counts[-1],
        "calls": len(counts),
        "exact": source == EMULATOR and len(medians) == 1,
        "source": source,
    }
    return {"instructions": found, "instructions_reason": None}


def count(session: Session, samples: Sequence[tuple[Any, ...]], counted: bool) -> dict[str, Any]:
    """Count calls of a model; called in the child.

    The same calls around nothing are taken off, so what Python and the counter need for themselves does not count.

    Args:
        session: the model, with one thread.
        samples: its inputs; the first few are used.
        counted: an emulator's counter runs this process.

    Returns:
        `counts`, one a call, `source`, and `reason`: None unless nothing counts here.
    """
    try:
        read = _emulator() if counted else _perf()
    except NoCounterError as reason:
        return {"counts": [], "source": None, "reason": str(reason)}
    gc.collect()
    gc.disable()
    empty = _median(_series(read, _nothing, samples))
    counts = [call - empty for call in _series(read, session.run, samples)]
    return {"counts": counts, "source": EMULATOR if counted else PERF, "reason": None}


def _series(read: Reader, action: Callable[[tuple[Any, ...]], Any], samples: Sequence[tuple[Any, ...]]) -> list[int]:
    found: list[int] = []
    for least, most in _PHASES:
        inputs, found = itertools.cycle(samples[:_INPUTS]), []
        while len(found) < least or (len(found) < most and sum(found) < _PLENTY):
            values = next(inputs)
            before = read()
            action(values)
            found.append(read() - before)
    return found


def _nothing(_values: tuple[Any, ...]) -> None:
    """Stands in for the model."""


def _emulator() -> Reader:
    system_call = ctypes.CDLL(None).syscall
    source, sink = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def read() -> int:
        system_call(_MARK, sink)
        return int.from_bytes(os.read(source, 8), sys.byteorder)

    try:
        read()
    except BlockingIOError as cause:
        raise NoCounterError("the emulator's counter does not answer") from cause
    return read


def _perf() -> Reader:
    """Instructions of this thread in user mode, perf_event_open(2)."""
    machine = os.uname().machine
    if machine not in _PERF_EVENT_OPEN or (machine == "aarch64" and sys.maxsize < 2**32):
        raise NoCounterError(f"perf events are not known on {machine}")
    # struct perf_event_attr, version 0: type 0 is PERF_TYPE_HARDWARE; then size, config, three unused words, flags.
    flags = _EXCLUDE_KERNEL | _EXCLUDE_HYPERVISOR
    attribute = struct.pack("=IIQQQQQQQ", 0, _ATTRIBUTE_BYTES, _PERF_COUNT_HW_INSTRUCTIONS, 0, 0, 0, flags, 0, 0)
    system_call = ctypes.CDLL(None, use_errno=True).syscall
    descriptor = system_call(_PERF_EVENT_OPEN[machine], attribute, 0, -1, -1, _CLOSE_ON_EXEC)
    if descriptor < 0:
        reason = os.strerror(ctypes.get_errno())
        raise NoCounterError(f"the kernel does not count instructions here: perf_event_open: {reason}")
    return lambda: int.from_bytes(os.read(descriptor, 8), sys.byteorder)


def _unknown(reason: str) -> dict[str, Any]:
    return {"instructions": None, "instructions_reason": reason}


def _median(values: Sequence[int]) -> int:
    return sorted(values)[len(values) // 2]
