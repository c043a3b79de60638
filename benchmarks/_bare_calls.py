"""The yardstick of `repeatability`: time each call of an interpreter in the plainest loop. Runs on the device too.

Usage: python _bare_calls.py MODEL.tflite SECONDS CORE...: prints the median in nanoseconds.
"""

import json
import os
import sys
import time

import numpy as np
from ai_edge_litert.interpreter import Interpreter

if sys.argv[3:]:
    os.sched_setaffinity(0, set(map(int, sys.argv[3:])))
seconds = float(sys.argv[2])
interpreter = Interpreter(model_path=sys.argv[1], num_threads=1)
interpreter.allocate_tensors()
details = interpreter.get_input_details()[0]
into, out_of = details["index"], interpreter.get_output_details()[0]["index"]
inputs = np.random.default_rng(0).random((32, *details["shape"]), dtype=np.float32)
times = []
started = time.perf_counter()
while (elapsed := time.perf_counter() - started) < 1 + seconds:
    values = inputs[len(times) % 32]
    before = time.perf_counter_ns()
    interpreter.set_tensor(into, values)
    interpreter.invoke()
    interpreter.get_tensor(out_of)
    times.append((elapsed, time.perf_counter_ns() - before))
counted = [taken for elapsed, taken in times if elapsed >= 1]
print(json.dumps({"median_ns": float(np.median(counted)), "calls": len(counted)}))  # noqa: T201 - its one result
