"""The yardstick of `evaluate`: the loop that a person writes around an interpreter. Runs on the device too.

Usage: python _bare_loop.py MODEL.tflite SAMPLES.npy
"""

import json
import sys
import time

import numpy as np
from ai_edge_litert.interpreter import Interpreter

model_path, samples_path = sys.argv[1:]
samples = np.load(samples_path)
interpreter = Interpreter(model_path=model_path, num_threads=1)
interpreter.allocate_tensors()
into = interpreter.get_input_details()[0]["index"]
out_of = interpreter.get_output_details()[0]["index"]
outputs = []
started = time.perf_counter()
for index in range(len(samples)):
    interpreter.set_tensor(into, samples[index : index + 1])
    interpreter.invoke()
    outputs.append(interpreter.get_tensor(out_of))
seconds = time.perf_counter() - started
print(json.dumps({"samples": len(samples), "seconds": seconds}))  # noqa: T201 - its one result
