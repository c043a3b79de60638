"""Times of a model's operators from LiteRT's own profiler, through the C interface of its shared library.

Its Python package does not show the profiler. The C interface is not promised to stay, so it is used for the versions
of ai-edge-litert that it was checked with, and only if all its functions are there.
"""

from __future__ import annotations

import ctypes
import os
import time
from ctypes import byref
from importlib import metadata
from typing import TYPE_CHECKING, Any

from device_agents.linux.runners import RunnerError
from device_agents.linux.runners._profiles import middle_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

CHECKED_WITH = ("2.3.",)
"""Beginnings of versions, by litert/c/*.h of each."""

_LEAST_CALLS, _MOST_CALLS, _SECONDS = 20, 1000, 0.3
_WARMUP_CALLS, _WARMUP_SECONDS = 3, 0.1

_OPERATOR, _DELEGATED_OPERATOR = 1 << 1, 1 << 3
"""Types of events: a node of the model's graph, and a node within a delegate (tflite/core/api/profiler.h)."""

_INT = 2
_ACCELERATORS, _CPU = 24, 1
_KERNEL_MODES = {"default": "delegate", "builtin": "builtin", "reference": "reference"}
_Handle = ctypes.c_void_p
_Index = ctypes.c_size_t
_Deleter = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


class _EnvironmentOption(ctypes.Structure):
    """`LiteRtEnvOption` with an integer."""

    _fields_ = (("tag", ctypes.c_int), ("type", ctypes.c_int), ("value", ctypes.c_int64))


class _Event(ctypes.Structure):
    """`ProfiledEventData`."""

    _fields_ = (
        ("tag", ctypes.c_char_p),
        ("type", ctypes.c_int),
        ("start_us", ctypes.c_uint64),
        ("elapsed_us", ctypes.c_uint64),
        ("memory", ctypes.c_int64 * 6),
        ("node", ctypes.c_uint64),
        ("more", ctypes.c_uint64),
        ("source", ctypes.c_int),
    )


def operators(
    package_folder: str, path: str, options: dict[str, Any], names: list[str], samples: Sequence[tuple[Any, ...]]
) -> list[dict[str, Any]]:
    """Profile a model.

    The profiler tells whole microseconds, rounded down.

    Args:
        package_folder: where ai_edge_litert lies.
        path: the model file.
        options: `threads` and `kernels` as in docs/protocol.md.
        names: of the inputs.
        samples: a NumPy array for each of them, a sample after the other.

    Returns:
        `{name, op, ns}` in the order in which they run: of a node the name of its first output tensor, within XNNPACK
        (which merges nodes) "xnnpack:" and a number.

    Raises:
        RunnerError: E_UNSUPPORTED for another version, or a model that this interface does not take.
    """
    version = metadata.version("ai-edge-litert")
    if not version.startswith(CHECKED_WITH):
        known = ", ".join(CHECKED_WITH)
        raise RunnerError("E_UNSUPPORTED", f"ai-edge-litert {version} has a C interface that was not checked: {known}x")
    model = _Model(_library(package_folder), path, options)
    model.warm_up(names, samples)
    times: dict[tuple[str, str], list[int]] = {}
    deadline, calls = time.monotonic() + _SECONDS, 0
    while calls < _LEAST_CALLS or (calls < _MOST_CALLS and time.monotonic() < deadline):
        model.set_inputs(names, samples[calls % len(samples)])
        for key, elapsed_us in model.profiled():
            times.setdefault(key, []).append(elapsed_us)
        calls += 1
    if not times or any(len(found) != calls for found in times.values()):
        raise RunnerError("E_UNSUPPORTED", "LiteRT's profiler told other operators from call to call, or none")
    return [
        {"name": name, "op": op, "ns": middle_mean([1000 * us for us in found])} for (name, op), found in times.items()
    ]


def _library(package_folder: str) -> Any:
    try:
        return ctypes.CDLL(os.path.join(package_folder, "libLiteRt.so"))
    except OSError as cause:
        raise RunnerError("E_UNSUPPORTED", f"LiteRT's library cannot be loaded: {cause}") from cause


class _Model:
    """A compiled model with its buffers and its profiler. It is never freed: the process ends soon."""

    def __init__(self, library: Any, path: str, options: dict[str, Any]) -> None:
        self._library = library
        self._kept: list[Any] = []
        option = _EnvironmentOption(_ACCELERATORS, _INT, _CPU)
        self._environment = self._make("LiteRtCreateEnvironment", 1, byref(option))
        model = self._make("LiteRtCreateModelFromFile", self._environment, path.encode())
        compiled_options = self._make("LiteRtCreateOptions")
        self._must("LiteRtSetOptionsHardwareAccelerators", compiled_options, _CPU)
        kernels = _KERNEL_MODES[options["kernels"]]
        self._add(compiled_options, "runtime_options_string", "enable_profiling = true\n")
        self._add(compiled_options, "xnnpack", f'num_threads = {options["threads"]}\nkernel_mode = "{kernels}"\n')
        self._model = self._make("LiteRtCreateCompiledModel", self._environment, model, compiled_options)
        self._profiler = self._make("LiteRtCompiledModelGetProfiler", self._model)
        signature = self._make("LiteRtGetModelSignature", model, _Index(0))
        self._subgraph = self._make("LiteRtGetSignatureSubgraph", signature)
        self._inputs = [self._buffer(signature, "Input", index) for index in self._indices(signature, "Inputs")]
        self._outputs = [self._buffer(signature, "Output", index) for index in self._indices(signature, "Outputs")]
        self._node_names: dict[int, str] = {}

    def set_inputs(self, names: list[str], values: tuple[Any, ...]) -> None:
        """Copy one sample into the input buffers; their order may be another than the interpreter's."""
        given = dict(zip(names, values))  # noqa: B905  # zip(strict=) came with Python 3.10
        for position, (name, buffer) in enumerate(self._inputs):
            data = given.get(name, values[position]).tobytes()
            if len(data) != self._value("LiteRtGetTensorBufferPackedSize", buffer, _Index()):
                raise RunnerError("E_UNSUPPORTED", f"LiteRT's profiler wants another size of the input {name!r}")
            ctypes.memmove(self._make("LiteRtGetTensorBufferHostMemory", buffer), data, len(data))

    def warm_up(self, names: list[str], samples: Sequence[tuple[Any, ...]]) -> None:
        """Calls that are not profiled."""
        deadline, calls = time.monotonic() + _WARMUP_SECONDS, 0
        while calls < _WARMUP_CALLS or time.monotonic() < deadline:
            self.set_inputs(names, samples[calls % len(samples)])
            self.run()
            calls += 1

    def run(self) -> None:
        """One inference."""
        inputs = (_Handle * len(self._inputs))(*(buffer.value for _, buffer in self._inputs))
        outputs = (_Handle * len(self._outputs))(*(buffer.value for _, buffer in self._outputs))
        sizes = _Index(len(inputs)), _Index(len(outputs))
        self._must("LiteRtRunCompiledModel", self._model, _Index(0), sizes[0], inputs, sizes[1], outputs)

    def profiled(self) -> list[tuple[tuple[str, str], int]]:
        """One inference: ((name, op), microseconds) of each operator."""
        self._must("LiteRtResetProfiler", self._profiler)
        self._must("LiteRtStartProfiler", self._profiler)
        self.run()
        self._must("LiteRtStopProfiler", self._profiler)
        count = self._value("LiteRtGetNumProfilerEvents", self._profiler, ctypes.c_int())
        events = (_Event * count)()
        if count:
            self._must("LiteRtGetProfilerEvents", self._profiler, count, events)
        found, delegated = [], 0
        for event in events:
            op = event.tag.decode("utf-8", "replace") if event.tag else "?"
            if event.type == _DELEGATED_OPERATOR:
                found.append(((f"xnnpack:{delegated}", op), int(event.elapsed_us)))
                delegated += 1
            elif event.type == _OPERATOR:
                found.append(((self._name_of(int(event.node)), op), int(event.elapsed_us)))
        return found

    def _name_of(self, node: int) -> str:
        """Name of a node's first output tensor."""
        if node not in self._node_names:
            name = f"node:{node}"
            op = self._make("LiteRtGetSubgraphOp", self._subgraph, _Index(node))
            if self._value("LiteRtGetNumOpOutputs", op, _Index()):
                name = self._name(self._make("LiteRtGetOpOutput", op, _Index(0))) or name
            self._node_names[node] = name
        return self._node_names[node]

    def _name(self, tensor: ctypes.c_void_p) -> str:
        name = ctypes.c_char_p()
        self._must("LiteRtGetTensorName", tensor, byref(name))
        return (name.value or b"").decode("utf-8", "replace")

    def _buffer(self, signature: ctypes.c_void_p, side: str, index: int) -> tuple[str, ctypes.c_void_p]:
        tensor = self._make(f"LiteRtGetSignature{side}TensorByIndex", signature, _Index(index))
        kind = (ctypes.c_uint32 * 64)()  # `LiteRtRankedTensorType`, with room to spare
        self._must("LiteRtGetRankedTensorType", tensor, byref(kind))
        wanted = self._make(f"LiteRtGetCompiledModel{side}BufferRequirements", self._model, _Index(0), _Index(index))
        buffer = self._make("LiteRtCreateManagedTensorBufferFromRequirements", self._environment, byref(kind), wanted)
        return self._name(tensor), buffer

    def _indices(self, signature: ctypes.c_void_p, sides: str) -> range:
        return range(self._value(f"LiteRtGetNumSignature{sides}", signature, _Index()))

    def _add(self, options: ctypes.c_void_p, kind: str, text: str) -> None:
        """Add options of one kind, as text; the library does not copy it."""
        payload, deleter = ctypes.create_string_buffer(text.encode()), _Deleter(lambda _payload: None)
        self._kept += [payload, deleter]
        made = self._make("LiteRtCreateOpaqueOptions", kind.encode(), payload, deleter)
        self._must("LiteRtAddOpaqueOptions", options, made)

    def _make(self, function: str, *arguments: Any) -> ctypes.c_void_p:
        """Call a function whose last argument is where to put a handle."""
        handle = _Handle()
        self._must(function, *arguments, byref(handle))
        return handle

    def _value(self, function: str, of: ctypes.c_void_p, number: Any) -> int:
        """Call a function that tells a number."""
        self._must(function, of, byref(number))
        return int(number.value)

    def _must(self, function: str, *arguments: Any) -> None:
        call: Callable[..., int] | None = getattr(self._library, function, None)
        if call is None:
            raise RunnerError("E_UNSUPPORTED", f"LiteRT's library lacks {function}")
        status = call(*arguments)
        if status != 0:
            raise RunnerError("E_UNSUPPORTED", f"LiteRT's profiler does not take this model: {function} gives {status}")
