"""What LiteRT's profiler costs: the same model in turn with the profiler on and off, in one process.

Usage: python _profiled_calls.py MODEL.tflite CALLS: prints both medians in nanoseconds.
"""

import json
import sys
import time
from pathlib import Path

import ai_edge_litert
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from device_agents.linux.runners import _litert_profiler as profiler

path, calls = sys.argv[1], int(sys.argv[2])
library = profiler._library(str(Path(next(iter(ai_edge_litert.__path__)))))  # noqa: SLF001 - measured from inside
model = profiler._Model(library, path, {"threads": 1, "kernels": "default"})  # noqa: SLF001
for _ in range(calls // 4):
    model.run()
plain, profiled = [], []
for number in range(2 * calls):
    is_on = number % 4 in (1, 2)
    if is_on:
        model._must("LiteRtResetProfiler", model._profiler)  # noqa: SLF001
        model._must("LiteRtStartProfiler", model._profiler)  # noqa: SLF001
    before = time.perf_counter_ns()
    model.run()
    (profiled if is_on else plain).append(time.perf_counter_ns() - before)
    if is_on:
        model._must("LiteRtStopProfiler", model._profiler)  # noqa: SLF001
print(json.dumps({"plain_ns": float(np.median(plain)), "profiled_ns": float(np.median(profiled))}))  # noqa: T201
