"""The limited child: takes one job, limits itself, runs the model, answers with one line."""

from __future__ import annotations

import ctypes
import gc
import itertools
import json
import mmap
import os
import resource
import signal
import sys
import time
import traceback
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from device_agents.linux import isolation, measuring, page_cache, runners, tensors, weighing

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_CHUNK_SAMPLES = 64
_CHUNK_BYTES = 4 * 1024 * 1024
"""Outputs are kept for so many samples, or bytes, and then written: more falls out of the caches."""

_PR_SET_PDEATHSIG = 1


class JobError(Exception):
    """The job cannot be done; carries the protocol's error code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def main() -> int:
    """Read the job from stdin, do it, write `{"result"}` or `{"code", "message"}` to the job's result descriptor."""
    job = json.load(sys.stdin.buffer)
    if "affinity" in job:
        os.sched_setaffinity(0, job["affinity"])
    job["network"] = isolation.isolate()
    _limit(job["limits"])  # behind it: a change of namespace may lift the death signal
    sys.path[1:1] = job["sys_path"]
    try:
        answer: dict[str, Any] = {"result": _JOBS[job["do"]](job)}
    except MemoryError:
        answer = {"code": "oom", "message": "memory ran out"}
    except (JobError, runners.RunnerError) as failure:
        answer = {"code": failure.code, "message": str(failure)}
    except Exception as failure:
        traceback.print_exc()
        answer = {"code": "E_DEVICE", "message": f"{type(failure).__name__}: {failure}"}
    with os.fdopen(job["result_fd"], "wb") as results:
        results.write(json.dumps(answer, allow_nan=False, separators=(",", ":")).encode() + b"\n")
    sys.stderr.flush()
    os._exit(0)  # the answer is complete; a crash of a runtime's own tear-down would say nothing about the model


def _limit(limits: dict[str, int]) -> None:
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)  # die with the agent, even if that is killed
    with suppress(OSError), open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
        file.write("1000")  # if memory runs out, this process goes first
    for name, value in limits.items():
        kind = getattr(resource, "RLIMIT_" + name)
        hard = resource.getrlimit(kind)[1]
        limit = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (limit, limit))


def _probe(job: dict[str, Any]) -> dict[str, Any]:
    module = runners.load_module(job["runner"])
    module.probe()
    return {
        "versions": module.versions(),
        "formats": list(module.FORMATS),
        "delegates": list(getattr(module, "DELEGATES", ())),
        "network": job["network"],
    }


def _open(job: dict[str, Any]) -> runners.Session:
    module = runners.load_module(job["runner"])
    if job["format"] not in module.FORMATS:
        raise JobError(
            "E_UNSUPPORTED",
            "the runtime {!r} runs {}, not {!r}".format(job["runner"], ", ".join(module.FORMATS), job["format"]),
        )
    if job["confined"] and getattr(module, "RUNS_PROGRAMS", False):
        raise JobError("E_UNSUPPORTED", "this key may bring no programs, and what {} runs is one".format(job["runner"]))
    if job["options"].get("tensors") and not getattr(module, "KEEPS_TENSORS", False):
        raise JobError("E_UNSUPPORTED", "the runtime {!r} keeps no intermediate tensors".format(job["runner"]))
    session: runners.Session = module.load("/proc/self/fd/{}".format(job["model"]), job["options"])
    return session


def _samples(job: dict[str, Any], session: runners.Session) -> Iterator[tuple[Any, ...]]:
    """One tuple of input values for each sample, in the runner's own kind of value."""
    problem = tensors.mismatch(job["inputs"], session.inputs)
    if problem is not None:
        raise JobError("E_INPUT", problem)
    counts = {data["shape"][0] for data in job["inputs"]}
    if len(counts) != 1:
        raise JobError("E_INPUT", f"the inputs have different numbers of samples: {sorted(counts)}")
    columns = []
    for index, data in enumerate(job["inputs"]):
        view = mmap.mmap(data["fd"], 0, prot=mmap.PROT_READ)
        columns.append(session.samples(index, memoryview(view), data["shape"][0]))
    return zip(*columns)  # noqa: B905  # zip(strict=) came with Python 3.10


def _load(job: dict[str, Any]) -> dict[str, Any]:
    session = _open(job)
    return {"inputs": session.inputs, "outputs": session.outputs}


def _run(job: dict[str, Any]) -> dict[str, Any]:
    """One inference a sample; the outputs go one after the other into the job's output file."""
    session = _open(job)
    samples = _samples(job, session)
    count = job["inputs"][0]["shape"][0]
    run, writer = session.run, _Writer(job["outputs_fd"], count)
    gc.disable()  # a collection in the middle costs more than many a small model, and nothing here makes cycles
    started = time.perf_counter()
    while chunk := list(itertools.islice(samples, writer.chunk)):
        writer.write([run(values) for values in chunk])
    seconds = time.perf_counter() - started
    result = {"outputs": writer.describe(session.outputs), "samples": count, "seconds": seconds}
    if job["options"].get("tensors"):
        result["kernels"] = getattr(session, "kernels", None)
    return result


class _Writer:
    """Puts the outputs of many inferences into one file, an output tensor's samples side by side.

    Joining buffers is one call of C for many samples, and needs neither NumPy nor a dtype.
    """

    def __init__(self, descriptor: int, count: int) -> None:
        self.chunk = 1
        """Inferences for the next `write`; one at first, until the sizes are known."""

        self._descriptor = descriptor
        self._count = count
        self._done = 0
        self._sizes: list[int] = []

    def write(self, results: list[Sequence[Any]]) -> None:
        if not self._sizes:
            self._sizes = [memoryview(value).nbytes for value in results[0]]
            self.chunk = max(1, min(_CHUNK_SAMPLES, _CHUNK_BYTES // max(1, sum(self._sizes))))
        base = 0
        for index, size in enumerate(self._sizes):
            data = b"".join([values[index] for values in results])
            if len(data) != size * len(results):
                raise JobError("E_DEVICE", f"output {index} changes its size from sample to sample")
            if os.pwrite(self._descriptor, data, base + self._done * size) != len(data):
                raise JobError("E_DEVICE", "the outputs are larger than the limit")
            base += self._count * size
        self._done += len(results)

    def describe(self, specs: list[dict[str, Any]]) -> list[dict[str, Any]]:
        outputs, offset = [], 0
        for spec, size in zip(specs, self._sizes):  # noqa: B905  # zip(strict=) came with Python 3.10
            shape = tensors.stacked_shape(self._count, spec["shape"])
            if tensors.elements(shape) * tensors.ITEM_BYTES[spec["dtype"]] != self._count * size:
                raise JobError("E_DEVICE", "output {!r} has not the shape {}".format(spec["name"], spec["shape"]))
            total = self._count * size
            outputs.append(
                {"name": spec["name"], "shape": shape, "dtype": spec["dtype"], "offset": offset, "size": total}
            )
            offset += total
        return outputs


def _measure(job: dict[str, Any]) -> dict[str, Any]:
    cold = page_cache.drop(job["model"]) if job["plan"]["cold"] else None  # nothing reads it before the model is loaded
    found = measuring.latency(
        prepare=lambda: runners.load_module(job["runner"]).prepare(),
        load=lambda: _open(job),
        samples=lambda session: list(_samples(job, session)),
        plan=job["plan"],
    )
    return found if cold is None else dict(found, cold=cold)


def _memory(job: dict[str, Any]) -> dict[str, Any]:
    found = weighing.memory(
        prepare=lambda: runners.load_module(job["runner"]).prepare(),
        load=lambda: _open(job),
        samples=lambda session: list(_samples(job, session)),
    )
    found["file_bytes"] = os.fstat(job["model"]).st_size
    if job["identify"]:
        from device_agents.linux import distributions  # behind what was weighed

        found["runtime"] = distributions.facts(runners.load_module(job["runner"]).versions())
    return found


def _instructions(job: dict[str, Any]) -> dict[str, Any]:
    from device_agents.linux import instructions  # only this job needs it

    session = _open(job)
    return instructions.count(session, list(_samples(job, session)), job["counted"])


def _operators(job: dict[str, Any]) -> dict[str, Any]:
    module = runners.load_module(job["runner"])
    if not hasattr(module, "operators"):
        raise JobError("E_UNSUPPORTED", "the runtime {!r} does not time its operators".format(job["runner"]))
    session = _open(job)
    inputs = [spec["name"] for spec in session.inputs]
    path = "/proc/self/fd/{}".format(job["model"])
    return {"operators": module.operators(path, job["options"], inputs, list(_samples(job, session)))}


_JOBS = {
    "probe": _probe,
    "load": _load,
    "run": _run,
    "measure": _measure,
    "memory": _memory,
    "operators": _operators,
    "instructions": _instructions,
}
