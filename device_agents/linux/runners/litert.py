"""LiteRT: .tflite models with ai-edge-litert, or with tflite-runtime where there is no ai-edge-litert (32-bit Arm)."""

from __future__ import annotations

import base64
import importlib
import os
from importlib import metadata
from typing import TYPE_CHECKING, Any

from device_agents.linux import tensors
from device_agents.linux.runners import RunnerError, _litert_profiler

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

FORMATS = ("tflite",)
DELEGATES = ("xnnpack",)
KEEPS_TENSORS = True

PROBE_MODEL = base64.b64decode(
    "GAAAAFRGTDMAAA4AGAAUABAADAAIAAQADgAAABQAAAAcAAAAIAAAAPAAAAADAAAAAQAAAAQAAAAY////AwAAAHgreAABAAAAEAAAAAwAFAAQ"
    "AAwACAAEAAwAAAAQAAAAUAAAAFQAAABYAAAAAQAAABQAAAAAAA4AFAAAABAADAALAAQADgAAABAAAAAAAAALDAAAABAAAAB4////AQAAAAEA"
    "AAACAAAAAAAAAAAAAAABAAAAAQAAAAEAAAAAAAAAAgAAADQAAAAEAAAA4P///wgAAAAMAAAAAQAAAHkAAAACAAAAAQAAAAQAAAAMAAwACAAA"
    "AAAABAAMAAAACAAAAAwAAAABAAAAeAAAAAIAAAABAAAABAAAAAEAAAAIAAAABAAEAAQAAAA="
)
"""y = x + x for float32 [1, 4]: one ADD, version 1, 296 bytes, packed with the schema of ai-edge-litert 2.3.0."""

_DISTRIBUTIONS = (("ai-edge-litert", "ai_edge_litert"), ("tflite-runtime", "tflite_runtime"))
_RESOLVERS = {"default": "AUTO", "reference": "BUILTIN_REF", "builtin": "BUILTIN_WITHOUT_DEFAULT_DELEGATES"}


def versions() -> dict[str, str]:
    """Versions of the distribution that is used, and of NumPy."""
    distribution, _ = _find()
    return {name: metadata.version(name) for name in (distribution, "numpy")}


def prepare() -> None:
    """Import the interpreter and NumPy."""
    _find()


def probe() -> None:
    """Construct an interpreter and run it."""
    probe_with(_find()[1])


def load(path: str, options: dict[str, Any]) -> Session:
    """Load a model, see `load_with`."""
    return load_with(_find()[1], path, options)


def operators(
    path: str, options: dict[str, Any], names: list[str], samples: Sequence[tuple[Any, ...]]
) -> list[dict[str, Any]]:
    """Time of each operator, see `_litert_profiler`."""
    distribution, library = _find()
    if distribution != _DISTRIBUTIONS[0][0]:
        raise RunnerError("E_UNSUPPORTED", f"{distribution} does not time its operators; ai-edge-litert does")
    return _litert_profiler.operators(os.path.dirname(library.__file__), path, options, names, samples)


def probe_with(library: Any) -> None:
    """Construct an interpreter and run it: importing proves nothing (tflite-runtime 2.14 imports beside NumPy 2).

    Raises:
        RuntimeError: it computes something else.
    """
    import numpy as np

    interpreter = library.Interpreter(model_content=PROBE_MODEL, num_threads=1)
    interpreter.allocate_tensors()
    x = np.arange(4, dtype=np.float32).reshape(1, 4)
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x)
    interpreter.invoke()
    y = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    if y.tolist() != [[0.0, 2.0, 4.0, 6.0]]:
        raise RuntimeError(f"x + x gives {y.tolist()}")


def load_with(library: Any, path: str, options: dict[str, Any]) -> Session:
    """Load a model.

    Args:
        library: the module `interpreter` of a distribution.
        path: the .tflite file.
        options: `threads`, `kernels`, `delegate`, `tensors` as in docs/protocol.md; the default kernels use XNNPACK
            anyway, but for intermediate tensors: a delegate keeps none.

    Raises:
        RunnerError: E_UNSUPPORTED for a model, or an option, that this interpreter does not take.
    """
    delegate, kernels, kept = options["delegate"], options["kernels"], options.get("tensors", [])
    if delegate not in (None, *DELEGATES) or (delegate is not None and kernels != "default"):
        raise RunnerError("E_UNSUPPORTED", f"no delegate {delegate!r} with kernels {kernels!r} here")
    if kept and kernels == "default":
        kernels = "builtin"
    try:
        interpreter = library.Interpreter(
            model_path=path,
            num_threads=options["threads"],
            experimental_op_resolver_type=library.OpResolverType[_RESOLVERS[kernels]],
            experimental_preserve_all_tensors=bool(kept),
        )
        interpreter.allocate_tensors()
        return Session(interpreter, kernels, kept)
    except (ValueError, RuntimeError, TypeError) as cause:
        raise RunnerError("E_UNSUPPORTED", f"the runtime refuses the model: {cause}") from cause


class Session:
    """A loaded model with its tensors allocated.

    `set_tensor` and `get_tensor` copy. The views of `interpreter.tensor()` do not, but `invoke` refuses to run while
    one is alive, and making one anew for each inference costs more than the copy of a usual input.
    """

    def __init__(self, interpreter: Any, kernels: str, kept: Sequence[str]) -> None:
        inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
        self.kernels = kernels
        self.inputs = [_spec(detail) for detail in inputs]
        self.outputs = [_spec(detail) for detail in outputs]
        self.quantization = {"inputs": list(map(_scale, inputs)), "outputs": list(map(_scale, outputs))}
        intermediate = _intermediate(interpreter, kept)
        self.outputs += map(_spec, intermediate)
        indices = [detail["index"] for detail in inputs], [detail["index"] for detail in [*outputs, *intermediate]]
        self.run = _bind(interpreter, *indices)

    def samples(self, index: int, data: memoryview, count: int) -> Iterable[Any]:
        """Arrays of the input's own shape; no copy."""
        spec = self.inputs[index]
        samples: Iterable[Any] = tensors.array(data, [count, *spec["shape"]], spec["dtype"])
        return samples


def _bind(interpreter: Any, inputs: list[int], outputs: list[int]) -> Callable[[tuple[Any, ...]], Sequence[Any]]:
    """One inference with everything looked up beforehand: a tiny model takes no longer than a look-up."""
    set_tensor, invoke, get_tensor = interpreter.set_tensor, interpreter.invoke, interpreter.get_tensor

    def run(values: tuple[Any, ...]) -> Sequence[Any]:
        for index, value in zip(inputs, values):  # noqa: B905  # zip(strict=) came with Python 3.10
            set_tensor(index, value)
        invoke()
        return [get_tensor(index) for index in outputs]

    def run_single(values: tuple[Any, ...]) -> Sequence[Any]:
        set_tensor(only_input, values[0])
        invoke()
        return (get_tensor(only_output),)

    if len(inputs) == 1 and len(outputs) == 1:
        only_input, only_output = inputs[0], outputs[0]
        return run_single
    return run


def _intermediate(interpreter: Any, names: Sequence[str]) -> list[dict[str, Any]]:
    """The details of these tensors.

    Raises:
        RunnerError: E_INPUT when the model has none of a name.
    """
    if not names:
        return []
    known = {str(detail["name"]): detail for detail in interpreter.get_tensor_details()}
    missing = [name for name in names if name not in known]
    if missing:
        raise RunnerError(
            "E_INPUT", "the model has no tensor {!r}; it has {}".format(missing[0], ", ".join(known)[:1500])
        )
    return [known[name] for name in names]


def _spec(detail: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": str(detail["name"]),
        "shape": [int(extent) for extent in detail["shape"]],
        "dtype": detail["dtype"].__name__.rstrip("_"),  # NumPy 1 says bool_
    }


def _scale(detail: dict[str, Any]) -> tuple[float, int] | None:
    """Scale and zero point; a scale of 0 stands for a tensor that is not quantized."""
    scale, zero_point = detail["quantization"]
    return (float(scale), int(zero_point)) if scale else None


def _find() -> tuple[str, Any]:
    """The first distribution that can be imported, and its interpreter module; raises its ImportError if none can."""
    reasons = []
    for distribution, package in _DISTRIBUTIONS:
        try:
            return distribution, importlib.import_module(package + ".interpreter")
        except ImportError as reason:
            reasons.append(f"{distribution}: {reason}")
    raise ImportError("; ".join(reasons))
