"""Two .tflite files side by side in the child process: every tensor that both compute, on the same inputs."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.core import progress
from edgekit.core.artifact import TensorSpec
from edgekit.core.quantize import dequantize, quantize
from edgekit.core.tflite.model import Graph, Tensor, parse_model

_NOT_LAYERS = frozenset({"QUANTIZE", "DEQUANTIZE", "DENSIFY"})
"""Operators that change how a value is written down, not what it is."""


@dataclass
class _Error:
    """Sums over samples, from which the figures of one tensor are taken."""

    values: int = 0
    squared_error: float = 0.0
    power: float = 0.0
    other_power: float = 0.0
    product: float = 0.0
    largest: float = 0.0
    largest_value: float = 0.0
    shape: tuple[int, ...] = field(default_factory=tuple)

    def add(self, reference: NDArray[Any], other: NDArray[Any]) -> None:
        left, right = reference.astype(np.float64).ravel(), other.astype(np.float64).ravel()
        self.shape = reference.shape
        self.values += left.size
        self.squared_error += float(np.square(left - right).sum())
        self.power += float(np.square(left).sum())
        self.other_power += float(np.square(right).sum())
        self.product += float(left @ right)
        self.largest = max(self.largest, float(np.abs(left - right).max(initial=0.0)))
        self.largest_value = max(self.largest_value, float(np.abs(left).max(initial=0.0)))

    def as_json(self) -> dict[str, Any]:
        """The figures; null where they have no value: no noise, no signal."""
        norms = math.sqrt(self.power * self.other_power)
        noisy = self.squared_error > 0 and self.power > 0
        return {
            "shape": list(self.shape),
            "mse": self.squared_error / max(self.values, 1),
            "snr_db": 10 * math.log10(self.power / self.squared_error) if noisy else None,
            "cosine": self.product / norms if norms > 0 else None,
            "max_abs_error": self.largest,
            "max_abs_value": self.largest_value,
        }


def layer_errors(reference: str, artifact: str, inputs: list[str]) -> list[dict[str, Any]]:
    """Errors of a compressed model, layer by layer.

    Both run with LiteRT's built-in kernels, without a delegate, as a delegate keeps its tensors to itself.

    Args:
        reference: the float .tflite.
        artifact: the compressed .tflite.
        inputs: .npy files, one a model input, real values (or the input's own integer type), shape [samples, ...].

    Returns:
        One dict a layer that both have, in the order of the reference: `name`, `op`, `shape`, `mse`, `snr_db`,
        `cosine`, `max_abs_error`, `max_abs_value`, `matched_by` ("name" or "place").
    """
    graphs = [parse_model(Path(path).read_bytes()).main for path in (reference, artifact)]
    matched = _matched(*graphs)
    runners = [_runner(path) for path in (reference, artifact)]
    arrays = [np.load(path, mmap_mode="r", allow_pickle=False) for path in inputs]
    errors = [_Error() for _ in matched]
    for place in range(len(arrays[0])):
        progress.tell("comparing layers", done=place, total=len(arrays[0]))
        sample = [np.asarray(array[place])[None] for array in arrays]
        for runner, graph in zip(runners, graphs, strict=True):
            _run(runner, graph, sample)
        for error, (left, right, *_) in zip(errors, matched, strict=True):
            error.add(_values(runners[0], left), _values(runners[1], right))
    return [
        {"name": left.name, "op": op, **error.as_json(), "matched_by": how}
        for error, (left, _, op, how) in zip(errors, matched, strict=True)
    ]


def layer_tensors(path: str) -> list[dict[str, Any]]:
    """What the operators of a .tflite file write, in the order in which they run.

    Args:
        path: the file.

    Returns:
        One dict a tensor: `op` and the fields of its `TensorSpec`. Tensors that share a name with another one are left
        out: they cannot be asked for.
    """
    layers = _layers(parse_model(Path(path).read_bytes()).main)
    names = [tensor.name for _, tensor in layers]
    return [{"op": op, **tensor.spec().as_json()} for op, tensor in layers if names.count(tensor.name) == 1]


def _runner(path: str) -> Any:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    runner = Interpreter(
        model_path=path,
        num_threads=1,
        experimental_preserve_all_tensors=True,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    details = runner.get_input_details()
    for detail in details:
        if (detail["shape_signature"] < 0).any():
            runner.resize_tensor_input(detail["index"], [max(size, 1) for size in detail["shape_signature"]])
    runner.allocate_tensors()
    return runner


def _run(runner: Any, graph: Graph, sample: list[NDArray[Any]]) -> None:
    for index, value in zip(graph.inputs, sample, strict=True):
        spec = graph.tensors[index].spec()
        as_it_is = value.dtype == np.dtype(spec.dtype)
        runner.set_tensor(index, value if as_it_is else quantize(value, spec))
    runner.invoke()


def _values(runner: Any, tensor: Tensor) -> NDArray[Any]:
    """A tensor's values as they are meant; per-channel scales belong to weights, not to what operators write."""
    raw = runner.get_tensor(tensor.index)
    spec: TensorSpec = tensor.spec()
    return dequantize(raw, spec) if spec.scale is not None else np.asarray(raw, np.float32)


def _matched(reference: Graph, artifact: Graph) -> list[tuple[Tensor, Tensor, str, str]]:
    """Tensors of both graphs that hold the same value, with the operator that writes it and how they were matched.

    Names first, the whole name or a part of it, as TensorFlow joins the names of fused operators by ";". Where a
    converter changed the names, the place decides, if both graphs have the same operators in the same order.
    """
    ours, theirs = _layers(reference), _layers(artifact)
    same_order = [(op, tensor.shape) for op, tensor in ours] == [(op, tensor.shape) for op, tensor in theirs]
    free = dict(enumerate(theirs))
    matched: list[tuple[Tensor, Tensor, str, str]] = []
    for place, (op, tensor) in enumerate(ours):
        found = _by_name(tensor, free)
        how = "name"
        if found is None and same_order and place in free:
            found, how = place, "place"
        if found is not None:
            matched.append((tensor, free.pop(found)[1], op, how))
    return matched


def _by_name(tensor: Tensor, free: dict[int, tuple[str, Tensor]]) -> int | None:
    alike = {place: other for place, (_, other) in free.items() if math.prod(other.shape) == tensor.elements}
    for place, other in alike.items():
        if other.name == tensor.name:
            return place
    parts = set(tensor.name.split(";"))
    for place, other in alike.items():
        if parts & set(other.name.split(";")):
            return place
    return None


def _layers(graph: Graph) -> list[tuple[str, Tensor]]:
    """What operators write that compute something: the operator's name and the tensor of numbers."""
    return [
        (operator.name, graph.tensors[index])
        for operator in graph.operators
        if operator.name not in _NOT_LAYERS
        for index in operator.outputs
        if graph.tensors[index].dtype.startswith(("float", "int", "uint"))
        and graph.tensors[index].elements
        and (graph.tensors[index].dtype.startswith("float") or graph.tensors[index].quantization is not None)
    ]
