"""Raw runs that are in order, to be spoilt one by one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from edgekit.core.measurement import Conditions, Measurement, Memory, Plan, ProcessRun, Provenance, Validity

SECOND = 1_000_000_000


def look(at_s: float, **changes: Any) -> Conditions:
    """An idle board of four cores."""
    quiet = Conditions(
        monotonic_ns=round(at_s * SECOND),
        realtime_ns=round(at_s * SECOND) + 10**18,
        cpu_ns=0,
        busy_ticks=0,
        all_ticks=round(at_s * 400),
        swapped_pages=7,
        available_bytes=2**32,
        load=0.1,
        temperature_c=45.0,
        frequency_khz={"1": 1_500_000},
        throttled=0,
    )
    return replace(quiet, **changes)


def run(place: int = 0, *, call_ns: int = 1_000_000, samples: int = 100, **changes: Any) -> ProcessRun:
    """The process of this place; each takes two seconds."""
    quiet = ProcessRun(
        import_ns=3_000_000,
        load_ns=2_000_000,
        first_ns=2 * call_ns,
        warmup_ns=(call_ns,) * 10,
        samples_ns=tuple(call_ns + (number % 5 - 2) * call_ns // 200 for number in range(samples)),
        steady=True,
        timer_ns=100,
        sentinel_ns=(50_000_000, 50_500_000),
        sentinel_rounds=70,
        switches=1,
        before=look(2 * place),
        after=look(2 * place + 1),
        outputs_sha256="e" * 64,
    )
    return replace(quiet, **changes)


def runs(n: int = 10, **changes: Any) -> list[ProcessRun]:
    """Processes that all look alike."""
    return [run(place, **changes) for place in range(n)]


def measurement(processes: Sequence[ProcessRun], **changes: Any) -> Measurement:
    """What these processes make."""
    told = {"kernel": "6.1", "governor": "performance", "runtime": {"versions": {"litert": "2.3.0"}}}
    memories = tuple(Memory(baseline_rss_bytes=100, peak_rss_bytes=200 + n, file_bytes=10) for n in range(3))
    quiet = Measurement(
        device="board",
        artifact_digest="a" * 64,
        plan=Plan(runtime="litert", mode="default", processes=len(processes), affinity=(1, 2)),
        runs=tuple(processes),
        memory=memories[1],
        memory_reason=None,
        provenance=Provenance.MEASURED,
        validity=(Validity.VALID,),
        environment={"before": told, "after": told, "agent": "f" * 64},
        memories=memories,
    )
    return replace(quiet, **changes)
