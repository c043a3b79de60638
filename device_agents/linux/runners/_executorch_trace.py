"""Times of a program's operators from the trace that the native runner keeps of a run."""

from __future__ import annotations

import itertools
import json
import time
from typing import TYPE_CHECKING, Any

from device_agents.linux.runners import RunnerError
from device_agents.linux.runners._profiles import middle_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

_LEAST_CALLS, _MOST_CALLS, _SECONDS = 20, 1000, 0.3
_WARMUP_CALLS = 3
_KERNEL = "native_call_"
_CONTAINERS = ("OPERATOR_CALL", "Method::execute")
_DELEGATE = "DELEGATE_CALL"


def operators(session: Any, samples: Sequence[tuple[Any, ...]]) -> list[dict[str, Any]]:
    """Run a traced session often.

    Args:
        session: with `run(values)` and `trace()`, JSON of the last run's events.
        samples: its inputs, cycled.

    Returns:
        `{name, op, ns}` in the order in which they end. Names are "kernel:" or "delegate:" and a number: a program has
        none.

    Raises:
        RunnerError: E_UNSUPPORTED when the runs differ, or tell nothing.
    """
    inputs = itertools.cycle(samples)
    for _ in range(_WARMUP_CALLS):
        session.run(next(inputs))
    runs: list[list[tuple[str, str, int]]] = []
    deadline = time.monotonic() + _SECONDS
    while len(runs) < _LEAST_CALLS or (len(runs) < _MOST_CALLS and time.monotonic() < deadline):
        session.run(next(inputs))
        runs.append(_leaves(json.loads(session.trace())))
    kinds = {tuple((name, op) for name, op, _ in run) for run in runs}
    if kinds == {()} or len(kinds) != 1:
        raise RunnerError("E_UNSUPPORTED", "ExecuTorch's trace tells other operators from run to run, or none")
    times = zip(*([ns for _, _, ns in run] for run in runs))  # noqa: B905  # zip(strict=) came with Python 3.10
    named = zip(next(iter(kinds)), times)  # noqa: B905
    return [{"name": name, "op": op, "ns": middle_mean(found)} for (name, op), found in named]


def _leaves(events: list[dict[str, Any]]) -> list[tuple[str, str, int]]:
    """(name, op, ns) of what contains no other event; a delegate that tells of no operators of its own counts whole."""
    found: list[tuple[str, str, int]] = []
    kernels, delegated, told = 0, 0, False
    for event in events:
        op = event["name"].partition(" #")[0]
        if event["delegated"] or (op == _DELEGATE and not told):
            found.append((f"delegate:{delegated}", op, event["ns"]))
            delegated += 1
            told = op != _DELEGATE
        elif op == _DELEGATE:
            told = False
        elif op.startswith(_KERNEL):
            found.append((f"kernel:{kernels}", op[len(_KERNEL) :], event["ns"]))
            kernels += 1
        elif op not in _CONTAINERS:
            found.append((f"kernel:{kernels}", op, event["ns"]))
            kernels += 1
    return found
