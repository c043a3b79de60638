"""ExecuTorch: .pte programs, by the native runner where it is installed, else by ExecuTorch's own Python package.

The native runner is the package `edgekit_pte_runner`: `device_agents/linux/native/pte_runner.cpp` beside the shared
libraries of the executorch wheel, without torch, NumPy, or anything else (docs/adr/0010). ExecuTorch's own package
needs torch to be imported, which a computer that makes such programs has anyway.

A program is data: its operators are looked up by name among the registered kernels, and nothing in it is executed. Its
`forward` must take and give tensors of fixed shapes in C order; they are called input_0, input_1, ..., output_0, ...
"""

from __future__ import annotations

import ctypes
import importlib
import importlib.util
import json
import mmap
import os
from contextlib import contextmanager
from importlib import metadata
from typing import TYPE_CHECKING, Any

from device_agents.linux import tensors
from device_agents.linux.runners import RunnerError, _executorch_trace, _torch_tensors
from device_agents.linux.runners._probe_models import ADD_PTE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

FORMATS = ("pte",)
DELEGATES = ("xnnpack",)

_NATIVE = "edgekit_pte_runner"
_METHOD = "forward"
_ERROR_BYTES = 2048
_TENSOR = 1
"""`Tag::Tensor` of runtime/core/tag.h."""


def versions() -> dict[str, str]:
    """Version of ExecuTorch, and of torch where that is used."""
    if _is_native():
        return {"executorch": metadata.version("edgekit-pte-runner")}
    return {name: metadata.version(name) for name in ("executorch", "torch")}


def prepare() -> None:
    """Load the native runner, or import ExecuTorch's package."""
    if _is_native():
        _library()
    else:
        _bindings()


def probe() -> None:
    """Run x + x in the XNNPACK backend.

    Raises:
        RuntimeError: it computes something else.
    """
    session = _session(_copied(ADD_PTE), 1)
    x = memoryview(bytearray(ADD_INPUT))
    (sample,) = session.samples(0, x, 1)
    answer = bytes(session.run((sample,))[0])
    if answer != ADD_OUTPUT:
        raise RuntimeError(f"x + x gives {memoryview(answer).cast('f').tolist()}")


ADD_INPUT = b"\0\0\0\0\0\0\x80\x3f\0\0\0\x40\0\0\x40\x40"
ADD_OUTPUT = b"\0\0\0\0\0\0\0\x40\0\0\x80\x40\0\0\xc0\x40"
"""0 1 2 3, and its double, as float32."""


def load(path: str, options: dict[str, Any]) -> Any:
    """Load the method `forward` of a program.

    Args:
        path: the .pte file.
        options: `threads`, `kernels`, `delegate` as in docs/protocol.md. What runs in XNNPACK was settled when the
            program was made, so only the default kernels are there.

    Raises:
        RunnerError: E_UNSUPPORTED for a program, or an option, that this runtime does not take: made for another
            version, a backend or an operator that is not here.
    """
    if options["delegate"] not in (None, *DELEGATES) or options["kernels"] != "default":
        raise RunnerError(
            "E_UNSUPPORTED", "a .pte has its delegate {!r} and kernels {!r} built in".format(*_chosen(options))
        )
    return _session(_mapped(path), options["threads"])


def operators(
    path: str, options: dict[str, Any], _names: list[str], samples: Sequence[tuple[Any, ...]]
) -> list[dict[str, Any]]:
    """Time of each operator, by the native runner's trace.

    Raises:
        RunnerError: E_UNSUPPORTED where that is not installed, or is one that traces nothing.
    """
    if not _is_native():
        raise RunnerError("E_UNSUPPORTED", "ExecuTorch's Python package does not tell its operators' times")
    if not hasattr(_library(), "pte_open_traced"):
        raise RunnerError("E_UNSUPPORTED", "this native runner is of an older edgekit, and traces nothing")
    return _executorch_trace.operators(NativeSession(_mapped(path), options["threads"], traced=True), samples)


def _mapped(path: str) -> mmap.mmap:
    with open(path, "rb") as file:
        if os.fstat(file.fileno()).st_size == 0:
            raise RunnerError("E_UNSUPPORTED", "the file is empty, not an ExecuTorch program")
        # Private pages: ctypes takes the address of writable memory only.
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)


def _chosen(options: dict[str, Any]) -> tuple[Any, Any]:
    return options["delegate"], options["kernels"]


def _session(program: mmap.mmap, threads: int) -> Any:
    return NativeSession(program, threads) if _is_native() else BindingsSession(program, threads)


def _copied(content: bytes) -> mmap.mmap:
    """Anonymous memory: it is aligned to a page, and a child that may write no file can have it."""
    memory = mmap.mmap(-1, len(content))
    memory.write(content)
    return memory


class NativeSession:
    """A program in the native runner.

    Raises:
        RunnerError: E_UNSUPPORTED, with the runtime's own reason.
    """

    def __init__(self, program: mmap.mmap, threads: int, *, traced: bool = False) -> None:
        library = _library()
        self._error = ctypes.create_string_buffer(_ERROR_BYTES)
        self._library = library
        self._program = (ctypes.c_char * len(program)).from_buffer(program)
        self._handle = ctypes.c_void_p()
        self._must(library.pte_prepare(threads, self._error, _ERROR_BYTES))
        address, size = ctypes.addressof(self._program), len(program)
        opened = library.pte_open_traced if traced else library.pte_open
        self._must(opened(address, size, ctypes.byref(self._handle), self._error, _ERROR_BYTES))
        facts = json.loads(library.pte_describe(self._handle))
        self.inputs, self.outputs = facts["inputs"], facts["outputs"]
        self._sizes = [tensors.elements(one["shape"]) * tensors.ITEM_BYTES[one["dtype"]] for one in self.outputs]

    def samples(self, _index: int, data: memoryview, count: int) -> Iterable[Any]:
        """Slices of the data, as the bytes that the runtime reads."""
        size = len(data) // count
        return [bytes(data[start : start + size]) for start in range(0, count * size, size)]

    def run(self, values: tuple[bytes, ...]) -> Sequence[Any]:
        """One inference."""
        inputs = (ctypes.c_char_p * len(values))(*values)
        outputs = [ctypes.create_string_buffer(size) for size in self._sizes]
        places = (ctypes.c_void_p * len(outputs))(*map(ctypes.addressof, outputs))
        self._must(self._library.pte_run(self._handle, inputs, places, self._error, _ERROR_BYTES))
        return outputs

    def trace(self) -> bytes:
        """JSON of the last run's events, in a traced session."""
        told: bytes = self._library.pte_trace(self._handle)
        return told

    def _must(self, status: int) -> None:
        if status != 0:
            reason = self._error.value.decode("utf-8", "replace")
            raise RunnerError("E_UNSUPPORTED", f"ExecuTorch refuses the program: {reason}")

    def __del__(self) -> None:
        if self._handle:
            self._library.pte_close(self._handle)


class BindingsSession:
    """A program in ExecuTorch's own package.

    Raises:
        RunnerError: E_UNSUPPORTED, with what the runtime said on stderr.
    """

    def __init__(self, program: mmap.mmap, threads: int) -> None:
        bindings = _bindings()
        self._content = program[:]  # the bindings read it where it is, also later
        with _reasons():  # it announces that it resets its threads
            bindings._unsafe_reset_threadpool(threads)  # noqa: SLF001  # their way to say what is not promised
        with _reasons() as said:
            try:
                loaded = bindings._load_program_from_buffer(self._content)  # noqa: SLF001
                facts = loaded.method_meta(_METHOD)
                method = loaded.load_method(_METHOD)
            except (RuntimeError, KeyError) as cause:
                known = ", ".join(bindings._get_registered_backend_names())  # noqa: SLF001
                raise RunnerError(
                    "E_UNSUPPORTED", f"ExecuTorch refuses the program: {cause} ({said()}); its backends: {known}"
                ) from cause
        self.inputs = [_spec(facts.input_tensor_meta(at), f"input_{at}") for at in range(facts.num_inputs())]
        self.outputs = [_spec(facts.output_tensor_meta(at), f"output_{at}") for at in range(facts.num_outputs())]
        self._method = method

    def samples(self, index: int, data: memoryview, count: int) -> Iterable[Any]:
        """Tensors of the input's own shape; no copy."""
        return _torch_tensors.samples(data, self.inputs[index], count)

    def run(self, values: tuple[Any, ...]) -> Sequence[Any]:
        """One inference."""
        return [_torch_tensors.content(value) for value in self._method(values, clone_outputs=False)]


def _spec(facts: Any, name: str) -> dict[str, Any]:
    dtype = _torch_tensors.SCALAR_TYPES.get(facts.dtype())
    if dtype is None:
        raise RunnerError("E_UNSUPPORTED", f"{name} has the type number {facts.dtype()}")
    return {"name": name, "shape": list(facts.sizes()), "dtype": dtype}


@contextmanager
def _reasons() -> Iterator[Any]:
    """The runtime's C++ code says on the process's stderr alone which operator or backend it lacks: read that."""
    kept, (reader, writer) = os.dup(2), os.pipe()
    os.set_blocking(writer, False)  # what does not fit into the pipe is lost; the first lines tell most
    os.set_blocking(reader, False)
    os.dup2(writer, 2)
    os.close(writer)

    def said() -> str:
        try:
            text = os.read(reader, 65536).decode("utf-8", "replace")
        except BlockingIOError:
            return "it gives no reason"
        reasons = [line.partition("] ")[2] for line in text.splitlines() if line.startswith("[")]
        return "; ".join(dict.fromkeys(reasons))[:1500] or "it gives no reason"

    try:
        yield said
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(reader)


def _is_native() -> bool:
    return importlib.util.find_spec(_NATIVE) is not None


def _library() -> Any:
    """The native runner; raises ImportError when it cannot be loaded."""
    folder = os.path.dirname(str(importlib.import_module(_NATIVE).__file__))
    try:
        library = ctypes.CDLL(os.path.join(folder, "libpte_runner.so"))
    except OSError as cause:
        raise ImportError(str(cause)) from cause
    text, size, pointer = ctypes.c_char_p, ctypes.c_size_t, ctypes.c_void_p
    library.pte_prepare.argtypes = (ctypes.c_uint, text, size)
    library.pte_open.argtypes = (pointer, size, ctypes.POINTER(pointer), text, size)
    if hasattr(library, "pte_open_traced"):
        library.pte_open_traced.argtypes = library.pte_open.argtypes
        library.pte_trace.argtypes, library.pte_trace.restype = (pointer,), text
    library.pte_describe.argtypes, library.pte_describe.restype = (pointer,), text
    library.pte_run.argtypes = (pointer, ctypes.POINTER(text), ctypes.POINTER(pointer), text, size)
    library.pte_close.argtypes, library.pte_close.restype = (pointer,), None
    return library


def _bindings() -> Any:
    importlib.import_module("torch")  # its libraries must be there before those of the extension
    return importlib.import_module("executorch.extension.pybindings._C")
