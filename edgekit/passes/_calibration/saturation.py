"""What an int8 model does with its activations over samples: values at the ends, channels that never change."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.core.tflite.model import Graph, Operator, parse_model
from edgekit.passes._flatbuffer_edit import unpack

_FIXED = {"SOFTMAX", "LOGISTIC", "TANH", "LOG_SOFTMAX"}
_MOVING = {"RESHAPE", "TRANSPOSE", "PAD", "SQUEEZE", "EXPAND_DIMS", "QUANTIZE", "DEQUANTIZE", "MAX_POOL_2D", "SLICE"}
_WEIGHTED = {"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV"}
_ENDS = (-128, 127)
_CUT_ABOVE = {"RELU6": 3, "RELU_N1_TO_1": 2}
"""Activation functions with an end of their own, by their number in the schema."""


def activations(path: str, samples: list[str]) -> list[dict[str, Any]]:
    """Facts of each int8 activation, as `edgekit.core.calibration_lint.ActivationFacts` has them.

    Args:
        path: a .tflite with int8 activations; other ones give an empty list.
        samples: .npy files, one a model input, shape [samples, ...], in the model's own dtypes.
    """
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    data = Path(path).read_bytes()
    graph = parse_model(data).main
    watched = {
        operator.outputs[0]: (operator, _ends(graph, operator, capped))
        for operator, capped in zip(graph.operators, _capped(data), strict=True)
        if operator.outputs and operator.name not in _MOVING and graph.tensors[operator.outputs[0]].dtype == "int8"
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        interpreter = Interpreter(
            model_content=data,
            experimental_preserve_all_tensors=True,
            experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
            num_threads=1,
        )
    interpreter.allocate_tensors()
    inputs = [detail["index"] for detail in interpreter.get_input_details()]
    arrays = [np.load(each, mmap_mode="r", allow_pickle=False) for each in samples]
    seen = {index: _Seen() for index in watched}
    for sample in zip(*arrays, strict=True):
        for index, value in zip(inputs, sample, strict=True):
            interpreter.set_tensor(index, value[None])
        interpreter.invoke()
        for index, (_, ends) in watched.items():
            seen[index].add(interpreter.get_tensor(index), ends)
    return [
        {
            "tensor": graph.tensors[index].name,
            "op": operator.name,
            "values": seen[index].values,
            "saturated": seen[index].at_ends / max(seen[index].values, 1),
            "channels": graph.tensors[index].shape[-1] if operator.name in _WEIGHTED else 0,
            "dead_channels": seen[index].dead() if operator.name in _WEIGHTED and len(arrays[0]) > 1 else 0,
        }
        for index, (operator, _) in watched.items()
    ]


class _Seen:
    """One tensor over the samples."""

    def __init__(self) -> None:
        self.values = self.at_ends = 0
        self._low: NDArray[Any] | None = None
        self._high: NDArray[Any] | None = None

    def add(self, values: NDArray[Any], ends: tuple[int, ...]) -> None:
        self.values += values.size
        self.at_ends += sum(int((values == end).sum()) for end in ends)
        by_channel = values.reshape(-1, values.shape[-1])
        low, high = by_channel.min(axis=0), by_channel.max(axis=0)
        self._low = low if self._low is None else np.minimum(self._low, low)
        self._high = high if self._high is None else np.maximum(self._high, high)

    def dead(self) -> int:
        """Channels with one value throughout."""
        return 0 if self._low is None or self._high is None else int((self._low == self._high).sum())


def _ends(graph: Graph, operator: Operator, capped: bool) -> tuple[int, ...]:
    """The ends of the range where a value was cut: not where zero lies (ReLU), nor where the function itself ends."""
    quantization = graph.tensors[operator.outputs[0]].quantization
    if operator.name in _FIXED or quantization is None:
        return ()
    ends = [end for end in _ENDS if end != quantization.zero_points[0]]
    return tuple(end for end in ends if not (capped and end == _ENDS[1]))


def _capped(data: bytes) -> list[bool]:
    """Whether each operator's fused activation function has an upper end of its own."""
    options = [operator.builtinOptions for operator in unpack(data).subgraphs[0].operators]
    return [getattr(each, "fusedActivationFunction", 0) in _CUT_ABOVE.values() for each in options]
