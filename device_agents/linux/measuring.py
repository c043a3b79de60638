"""Latency and memory of a model in a process that does nothing else."""

from __future__ import annotations

import gc
import itertools
import time
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from device_agents.linux.runners import Session

    Samples = Callable[["Session"], "list[tuple[Any, ...]]"]

_MEMORY_RUNS = 20
_T = TypeVar("_T")
_clock = time.perf_counter_ns
"""CLOCK_MONOTONIC: a step of the wall clock does not reach it."""


def latency(
    prepare: Callable[[], None], load: Callable[[], Session], samples: Samples, plan: dict[str, Any]
) -> dict[str, Any]:
    """The times of one process, in ns.

    Args:
        prepare: imports the runtime and all that it needs.
        load: makes the model ready to run.
        samples: the inputs; they are cycled, because one input again and again flatters the caches.
        plan: `warmup` and `samples` (counts), `min_seconds`, and `max_samples`, which the answer has room for.

    Returns:
        `import_ns, load_ns, first_ns, warmup_ns, samples_ns, batch`. When `min_seconds` of single calls would give more
        than `max_samples`, each sample is the mean of `batch` calls in a row.
    """
    _, import_ns = _timed(prepare)
    session, load_ns = _timed(load)
    inputs = itertools.cycle(samples(session))
    gc.collect()
    gc.freeze()
    gc.disable()
    first_ns = _call(session, inputs)
    warmup_ns = [_call(session, inputs) for _ in range(plan["warmup"])]
    batch = _batch(sorted(warmup_ns or [first_ns])[len(warmup_ns) // 2], plan)
    return {
        "import_ns": import_ns,
        "load_ns": load_ns,
        "first_ns": first_ns,
        "warmup_ns": warmup_ns,
        "samples_ns": _steady(session, inputs, plan, batch),
        "batch": batch,
    }


def memory(prepare: Callable[[], None], load: Callable[[], Session], samples: Samples) -> dict[str, Any]:
    """Resident bytes before the model is loaded and at the peak of 20 runs.

    Returns:
        `baseline_rss_bytes, peak_rss_bytes` (VmHWM; None when the kernel does not let it be reset after the imports).
    """
    prepare()
    gc.collect()
    can_reset = _reset_peak()
    baseline = _status()
    session = load()
    inputs = itertools.cycle(samples(session))
    for _ in range(_MEMORY_RUNS):
        session.run(next(inputs))
    final = _status()
    return {
        "baseline_rss_bytes": baseline.get("VmRSS"),
        "peak_rss_bytes": final.get("VmHWM") if can_reset else None,
    }


def _steady(session: Session, inputs: Iterator[tuple[Any, ...]], plan: dict[str, Any], batch: int) -> list[int]:
    clock, run, most = _clock, session.run, plan["max_samples"]
    found: list[int] = []
    end = clock() + int(plan["min_seconds"] * 1e9)
    while len(found) < most and (len(found) < plan["samples"] or clock() < end):
        values = list(itertools.islice(inputs, batch))
        started = clock()
        for value in values:
            run(value)
        found.append((clock() - started) // batch)
    return found


def _call(session: Session, inputs: Iterator[tuple[Any, ...]]) -> int:
    value = next(inputs)
    started = _clock()
    session.run(value)
    return _clock() - started


def _batch(call_ns: int, plan: dict[str, Any]) -> int:
    expected = plan["min_seconds"] * 1e9 / max(1, call_ns)
    return max(1, round(expected / plan["max_samples"] + 0.5)) if expected > plan["max_samples"] else 1


def _timed(action: Callable[[], _T]) -> tuple[_T, int]:
    started = _clock()
    value = action()
    return value, _clock() - started


def _reset_peak() -> bool:
    """Set VmHWM back to VmRSS (proc(5), clear_refs, value 5)."""
    try:
        with open("/proc/self/clear_refs", "w", encoding="ascii") as file:
            file.write("5")
    except OSError:
        return False
    return True


def _status() -> dict[str, int]:
    facts = {}
    with open("/proc/self/status", encoding="ascii", errors="replace") as file:
        for line in file:
            key, _, value = line.partition(":")
            if value.endswith(" kB\n"):
                facts[key] = int(value.split()[0]) * 1024
    return facts
