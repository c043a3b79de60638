"""Memory of a model in a process that does nothing else."""

from __future__ import annotations

import gc
import itertools
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from device_agents.linux.measuring import Samples
    from device_agents.linux.runners import Session

_RUNS = 20


def memory(prepare: Callable[[], None], load: Callable[[], Session], samples: Samples) -> dict[str, Any]:
    """Resident bytes before the model is loaded, at the peak of 20 runs, and behind them (edgekit-bench/1, D13).

    Returns:
        M of docs/protocol.md without `file_bytes` and `child`; peak_rss_bytes is None when the kernel does not let it
        be reset after the imports.
    """
    prepare()
    gc.collect()
    can_reset = _reset_peak()
    baseline = _kilobytes("/proc/self/status")
    session = load()
    inputs = itertools.cycle(samples(session))
    for _ in range(_RUNS):
        session.run(next(inputs))
    final, rollup = _kilobytes("/proc/self/status"), _kilobytes("/proc/self/smaps_rollup")
    private = [rollup[key] for key in ("Private_Clean", "Private_Dirty") if key in rollup]
    return {
        "baseline_rss_bytes": baseline.get("VmRSS"),
        "peak_rss_bytes": final.get("VmHWM") if can_reset else None,
        "pss_bytes": rollup.get("Pss"),
        "private_bytes": sum(private) if private else None,
        "swap_bytes": rollup.get("Swap", final.get("VmSwap")),
        "arena_bytes": getattr(session, "arena_bytes", None),
    }


def _reset_peak() -> bool:
    """Set VmHWM back to VmRSS (proc(5), clear_refs, value 5)."""
    try:
        with open("/proc/self/clear_refs", "w", encoding="ascii") as file:
            file.write("5")
    except OSError:
        return False
    return True


def _kilobytes(path: str) -> dict[str, int]:
    """The lines `name: number kB` of a file, in bytes; a kernel before 4.14 has no smaps_rollup."""
    facts = {}
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            for line in file:
                key, _, value = line.partition(":")
                if value.endswith(" kB\n"):
                    facts[key] = int(value.split()[0]) * 1024
    except OSError:
        return {}
    return facts
