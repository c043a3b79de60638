"""Measurements with chosen times, for tests of what is made of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from edgekit.core.measurement import Measurement, Memory, Plan, ProcessRun, Provenance, Validity

MS = 1_000_000


def measurement(medians_ms: Sequence[float], *, samples: int = 70, **fields: Any) -> Measurement:
    """One process a median, whose samples lie evenly within 1 % of it.

    Args:
        medians_ms: one a process.
        samples: of each process.
        fields: of Measurement, in the place of what is chosen here.
    """
    spread = [1 + 0.02 * (at / (samples - 1) - 0.5) for at in range(samples)]
    runs = tuple(
        ProcessRun(
            import_ns=100 * MS,
            load_ns=2 * MS,
            first_ns=3 * MS,
            warmup_ns=(4 * MS,),
            samples_ns=tuple(round(one * MS * factor) for factor in spread),
        )
        for one in medians_ms
    )
    chosen: dict[str, Any] = {
        "device": "bench-1",
        "artifact_digest": "a" * 64,
        "plan": Plan(runtime="litert", processes=len(runs)),
        "memory": Memory(baseline_rss_bytes=40_000_000, peak_rss_bytes=48_000_000),
        "memory_reason": None,
        "provenance": Provenance.MEASURED,
        "validity": (Validity.VALID,),
        "environment": {"before": {"kernel": "6.1"}},
        "instructions_reason": "it was not asked for",
    }
    return Measurement(**{**chosen, "runs": runs, **fields})
