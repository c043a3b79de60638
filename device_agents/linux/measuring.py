"""Latency of a model in a process that does nothing else."""

from __future__ import annotations

import gc
import itertools
import math
import resource
import time
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from device_agents.linux import conditions, stages
from device_agents.linux.sentinel import Sentinel
from device_agents.linux.warmup import Steadiness

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from device_agents.linux.runners import Session

    Samples = Callable[["Session"], "list[tuple[Any, ...]]"]

_clock = partial(time.clock_gettime_ns, time.CLOCK_MONOTONIC_RAW)
"""Neither a step of the wall clock nor NTP's corrections of its rate reach it."""

_TIMER_PAIRS = 10_000
_SHORT_NS = 50_000
_TIMER_SHARE = 100
"""Calls below 50 us, or below 100 times the timer's cost, are batched where that is allowed (edgekit-bench/1, D7)."""

_LAST_CALLS = 100
"""The length of a batch is settled by the median of so many calls at the end of the warm-up."""

_DIGESTED = 8
"""Outputs of so many inputs are digested."""

_T = TypeVar("_T")


def latency(
    prepare: Callable[[], None], load: Callable[[], Session], samples: Samples, plan: dict[str, Any]
) -> dict[str, Any]:
    """The times of one process, in ns.

    Args:
        prepare: imports the runtime and all that it needs.
        load: makes the model ready to run.
        samples: the inputs; they are cycled, because one input again and again flatters the caches.
        plan: what `measure_plan.read` made of the request.

    Returns:
        R of docs/protocol.md without `child` and `cold`.
    """
    sentinel = None if plan["sentinel_rounds"] is None else Sentinel(plan["sentinel_rounds"])
    work_before_ns = sentinel and sentinel.time_ns()
    before = conditions.now() if plan["conditions"] else None
    _, import_ns = _timed(prepare)
    session, load_ns = _timed(load)
    values = samples(session)
    inputs = itertools.cycle(values)
    gc.collect()
    gc.freeze()
    gc.disable()
    first_ns = _call(session, inputs)
    warmup_ns, last_ns, steady = _warm_up(session, inputs, plan)
    timer_ns = None if plan["batch_ns"] is None else _timer_ns()
    batch = _batch(_median(last_ns or [first_ns]), timer_ns, plan)
    found: dict[str, Any] = {
        "import_ns": import_ns,
        "load_ns": load_ns,
        "first_ns": first_ns,
        "warmup_ns": warmup_ns,
        **_steady(session, inputs, plan, batch),
        "batch": batch,
        "before": before,
        "after": conditions.now() if plan["conditions"] else None,
    }
    if sentinel is not None:
        found["sentinel"] = {
            "rounds": sentinel.rounds,
            "before_ns": work_before_ns,
            "after_ns": sentinel.time_ns(),
        }
    if steady is not None:
        found["steady"] = steady
    if timer_ns is not None:
        found["timer_ns"] = timer_ns
    if plan["stages"]:
        found["stages_ns"] = stages.times_ns(session, values, plan["stages"])
    if plan["outputs"]:
        found.update(_outputs_sha256(session, values, each=plan["conditions"]))
    return found


def _warm_up(
    session: Session, inputs: Iterator[tuple[Any, ...]], plan: dict[str, Any]
) -> tuple[list[int], list[int], bool | None]:
    """Times of the first calls, times of the last ones, and whether they became steady; None if nobody asked."""
    if plan["steady_cap_s"] is None:
        found = [_call(session, inputs) for _ in range(plan["warmup"])]
        return found, found[-_LAST_CALLS:], None
    first: list[int] = []
    last: deque[int] = deque(maxlen=_LAST_CALLS)
    steadiness = Steadiness()
    end = _clock() + int(plan["steady_cap_s"] * 1e9)
    while not steadiness.reached(plan["warmup"]) and (steadiness.calls < plan["warmup"] or _clock() < end):
        call_ns = _call(session, inputs)
        steadiness.add(call_ns)
        last.append(call_ns)
        if len(first) < plan["max_warmup"]:
            first.append(call_ns)
    return first, list(last), steadiness.reached(plan["warmup"])


def _steady(session: Session, inputs: Iterator[tuple[Any, ...]], plan: dict[str, Any], batch: int) -> dict[str, Any]:
    """The counted calls, and what the machine did meanwhile."""
    clock, run, most = _clock, session.run, plan["max_samples"]
    found: list[int] = []
    windows: list[dict[str, Any]] = []
    window_ns = math.inf if plan["window_s"] is None else plan["window_s"] * 1e9
    noted = 0
    switches = resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw
    begin = clock()
    end, edge = begin + int(plan["min_seconds"] * 1e9), begin + window_ns
    while len(found) < most and (len(found) < plan["samples"] or clock() < end):
        values = list(itertools.islice(inputs, batch))
        started = clock()
        for value in values:
            run(value)
        ended = clock()
        found.append((ended - started) // batch)
        if ended >= edge and len(windows) < plan["max_windows"]:
            windows.append({"samples": len(found) - noted, "conditions": conditions.now()})
            noted, edge = len(found), clock() + window_ns
    answer = {"samples_ns": found, "switches": resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw - switches}
    if window_ns == math.inf:
        return answer
    if noted < len(found):
        windows.append({"samples": len(found) - noted, "conditions": conditions.now()})
    return dict(answer, windows=windows)


def _call(session: Session, inputs: Iterator[tuple[Any, ...]]) -> int:
    value = next(inputs)
    started = _clock()
    session.run(value)
    return _clock() - started


def _batch(call_ns: int, timer_ns: int | None, plan: dict[str, Any]) -> int:
    """Calls a sample: as many as make a short call measurable, and as the answer has no room for one by one."""
    call_ns = max(1, call_ns)
    batch = 1
    if timer_ns is not None and call_ns < max(_SHORT_NS, _TIMER_SHARE * timer_ns):
        batch = math.ceil(plan["batch_ns"] / call_ns)
    expected = plan["min_seconds"] * 1e9 / call_ns
    return max(1, batch, round(expected / plan["max_samples"] + 0.5) if expected > plan["max_samples"] else 1)


def _timer_ns() -> int:
    """The median cost of reading the clock twice."""
    clock = _clock
    pairs = [(clock(), clock()) for _ in range(_TIMER_PAIRS)]
    return _median([second - first for first, second in pairs])


def _outputs_sha256(session: Session, values: list[tuple[Any, ...]], each: bool) -> dict[str, Any]:
    """One digest over the outputs of the first inputs and, where the answer has room, one for each of them."""
    import hashlib  # behind the timed import, which brings it along with many a runtime

    joined, one_by_one = hashlib.sha256(), []
    for value in values[:_DIGESTED]:
        data = b"".join([memoryview(output).tobytes() for output in session.run(value)])
        joined.update(data)
        one_by_one.append(hashlib.sha256(data).hexdigest())
    found: dict[str, Any] = {"outputs_sha256": joined.hexdigest()}
    return dict(found, outputs_each_sha256=one_by_one) if each else found


def _median(values: list[int]) -> int:
    return sorted(values)[len(values) // 2]


def _timed(action: Callable[[], _T]) -> tuple[_T, int]:
    started = _clock()
    value = action()
    return value, _clock() - started
