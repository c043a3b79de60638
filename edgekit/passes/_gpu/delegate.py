"""Run a .tflite on LiteRT's GPU accelerator and on the CPU, in a child process of its own: drivers crash.

LiteRT 2.3.0, measured: with the GPU alone it refuses a model of which it cannot take every operator; with the CPU
beside it, it leaves those operators to the CPU. With both, `is_fully_accelerated` counts XNNPACK as an accelerator too,
so only the answer for the GPU alone says that a model runs on the GPU as a whole.
"""

from __future__ import annotations

import ctypes
import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.core.tflite.model import parse_model

_ADAPTER = re.compile(r"Selected adapter: (.+)")
_REFUSED = re.compile(r"^(?!INFO|WARNING|ERROR)(\w+): ?(.*)$")
_HEADING = "not supported by GPU delegate"
_OPEN_SHAPES = "only supports static-sized tensors"
_PARTS = re.compile(r"(\d+) operations will run on the GPU, and the remaining (\d+) operations will run on the CPU")
_NO_ADAPTER = "No adapters found"
_ERROR = re.compile(r"^ERROR: ([^\[\n]+)$", re.MULTILINE)
_WARNING = re.compile(r"^Warning: (.+)$", re.MULTILINE)


def run(path: str, inputs: list[str], outputs: str, driver: dict[str, str] | None) -> dict[str, Any]:
    """Run samples on the GPU accelerator, and on the CPU with XNNPACK.

    Args:
        path: the .tflite.
        inputs: .npy files, one a model input in the graph's order, shape [samples, ...], in the input's dtype.
        outputs: folder that gets `gpu-<output>.npy` and `cpu-<output>.npy`, shape [samples, ...].
        driver: `manifest` and `loader` of a Vulkan driver; None takes those of this machine.

    Returns:
        `adapter`: what the accelerator says of the device, None if it found none; `refused`: pairs of an operator and
        what the accelerator says against it; `fully_accelerated`; `operators`: how many go to the GPU and to the CPU,
        None where it does not say; `reason`: why nothing was run, None if it was.
    """
    _use(driver)
    samples = [np.load(name, allow_pickle=False) for name in inputs]
    model = _Runner(Path(path).read_bytes())
    log: list[str] = []
    on_gpu = model.compiled("GPU", log)
    text = "".join(log)
    adapter, parts = _ADAPTER.search(text), _PARTS.search(text)
    found: dict[str, Any] = {
        "adapter": adapter[1].strip() if adapter else None,
        "refused": _refused(text),
        "fully_accelerated": on_gpu is not None and on_gpu.is_fully_accelerated(),
        "operators": [int(parts[1]), int(parts[2])] if parts else None,
        "reason": None,
    }
    if _NO_ADAPTER in text:
        return found | {"reason": _without_adapter(text)}
    if on_gpu is None:
        on_gpu = model.compiled("GPU_AND_CPU", log)
    if on_gpu is None:
        return found | {"reason": _without_model("".join(log))}
    try:
        for name, compiled in (("gpu", on_gpu), ("cpu", model.compiled("CPU", log))):
            for index, array in enumerate(model.answers(compiled, samples)):
                np.save(Path(outputs) / f"{name}-{index}.npy", array, allow_pickle=False)
    except (RuntimeError, ValueError) as error:
        return found | {"reason": f"LiteRT cannot run it: {str(error).strip().splitlines()[0]}"}
    return found


def _use(driver: dict[str, str] | None) -> None:
    """Let this process see one Vulkan driver; Dawn asks for libvulkan.so.1 by name and gets the one that is loaded."""
    os.environ["XDG_RUNTIME_DIR"] = tempfile.gettempdir()
    if driver is None:
        return
    os.environ["VK_ICD_FILENAMES"] = os.environ["VK_DRIVER_FILES"] = driver["manifest"]
    ctypes.CDLL(driver["loader"])


class _Runner:
    """One model, compiled for one kind of processor after the other."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        graph = parse_model(data).main
        self._inputs = [graph.tensors[index] for index in graph.inputs]
        self._outputs = [graph.tensors[index] for index in graph.outputs]

    def compiled(self, where: str, log: list[str]) -> Any:
        """The model for a processor, None if LiteRT refuses; `log` gets what it says.

        Args:
            where: "GPU", "CPU" or "GPU_AND_CPU".
            log: receives one text.
        """
        from ai_edge_litert.compiled_model import CompiledModel
        from ai_edge_litert.hardware_accelerator import HardwareAccelerator

        kinds = [HardwareAccelerator[name] for name in where.split("_AND_")]
        with _stderr() as said:
            try:
                return CompiledModel.from_buffer(self._data, hardware_accel=sum(kinds[1:], kinds[0]))
            except RuntimeError as error:
                log.append(f"{error}\n")
                return None
            finally:
                log.append(said())

    def answers(self, compiled: Any, samples: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        """The outputs for each sample, in the graph's order; reading them waits for the GPU, the run does not."""
        signature = next(iter(compiled.get_signature_list()))
        into = compiled.create_input_buffers(0)
        out = compiled.create_output_buffers(0)
        into_order = _order(compiled.get_input_tensor_details(signature), [each.index for each in self._inputs])
        out_order = _order(compiled.get_output_tensor_details(signature), [each.index for each in self._outputs])
        results: list[list[NDArray[Any]]] = [[] for _ in self._outputs]
        for number in range(len(samples[0])):
            for tensor, place, array in zip(self._inputs, into_order, samples, strict=True):
                batch = np.take(array, range(number, number + tensor.shape[0]), axis=0, mode="wrap")
                into[place].write(np.ascontiguousarray(batch))
            compiled.run_by_index(0, into, out)
            for tensor, place, result in zip(self._outputs, out_order, results, strict=True):
                result.append(out[place].read(tensor.elements, np.dtype(tensor.dtype)).reshape(tensor.shape))
        return [np.stack(result) if result[0].ndim == 0 else np.concatenate(result) for result in results]


def _order(details: dict[str, dict[str, Any]], indices: Sequence[int]) -> list[int]:
    """For each tensor of the graph its place in the signature, whose order is its own."""
    places = [detail["index"] for detail in details.values()]
    return [places.index(index) for index in indices]


@contextmanager
def _stderr() -> Iterator[Any]:
    """Lends out what C++ writes to stderr; it goes on to the real one, which is the log of this process."""
    with tempfile.TemporaryFile() as file:
        real = os.dup(2)
        os.dup2(file.fileno(), 2)

        def said() -> str:
            file.seek(0)
            return file.read().decode("utf-8", "replace")

        try:
            yield said
        finally:
            os.dup2(real, 2)
            os.close(real)
            os.write(2, said().encode())


def _refused(log: str) -> list[tuple[str, str]]:
    """Operators and reasons from the list that the accelerator writes, one a line, in its order.

    It names without a reason what stays on the CPU because of another, e.g. the DEQUANTIZE of its weights.
    """
    found: dict[tuple[str, str], None] = {}
    _, _, listing = log.partition(_HEADING)
    for line in listing.splitlines()[1:]:
        match = _REFUSED.match(line)
        if match is None:
            break
        if reason := match[2].strip().rstrip("."):
            found[match[1], reason] = None
    return list(found)


def _without_adapter(log: str) -> str:
    warnings = list(dict.fromkeys(text.strip() for text in _WARNING.findall(log)))
    why = f" ({'; '.join(warnings[:3])})" if warnings else ""
    return f"LiteRT found no GPU that it can use{why}"


def _without_model(log: str) -> str:
    if _OPEN_SHAPES in log:
        return "the GPU delegate takes fixed shapes only, and the model settles some at run time"
    errors = list(dict.fromkeys(text.strip() for text in _ERROR.findall(log)))
    why = f" ({'; '.join(errors[:3])})" if errors else ""
    return f"LiteRT refuses the model on the GPU, and with the CPU beside it{why}"
