"""Run the float model over the representative samples and look at every activation; in the child process."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.core.errors import UnsupportedError
from edgekit.core.progress import tell
from edgekit.core.tflite.model import Graph, Tensor, parse_model
from edgekit.passes._calibration.histogram import Extremes, Histogram
from edgekit.passes._calibration.ranges import range_of

Sample = list[NDArray[Any]]
Samples = Callable[[], Iterator[Sample]]

WITHOUT_HISTOGRAM = frozenset({"min_max", "moving_average"})


def calibrate(
    model: bytes, samples: Samples, method: str, *, bits: int, percentile: float, bins: int
) -> dict[str, dict[str, NDArray[np.float32]]]:
    """Ranges of all activations, as litert-quantizer takes them.

    The samples are run once for the extremes and, where the method needs histograms, a second time to count between
    them; one sample's activations are in memory at a time.

    Args:
        model: a float .tflite of one graph.
        samples: gives the samples anew at each call, one array a model input with the batch of 1.
        method, bits, percentile: see `edgekit.passes._calibration.ranges.range_of`.
        bins: of each histogram.

    Returns:
        By tensor name {"min", "max"}, each of as many axes as the tensor. The quantizer replaces those of operators
        whose output scale is fixed (softmax, sigmoid, tanh) or must be the input's (reshape, max-pooling).

    Raises:
        UnsupportedError: the model has more than one graph.
    """
    graphs = parse_model(model).graphs
    if len(graphs) > 1:
        raise UnsupportedError(
            f"the model has {len(graphs)} graphs, and {method} calibration follows one",
            hint='leave calibration at "min_max"',
        )
    activations = _activations(graphs[0])
    extremes = {tensor.index: Extremes() for tensor in activations}
    for tensor, values in _observed(model, samples, activations, "calibrating: extremes"):
        extremes[tensor.index].add(values)
    histograms: dict[int, Histogram] = {}
    if method not in WITHOUT_HISTOGRAM:
        seen = {index: each for index, each in extremes.items() if not each.is_empty}
        histograms = {index: Histogram(low=each.low, high=each.high, bins=bins) for index, each in seen.items()}
        counted = [tensor for tensor in activations if tensor.index in histograms]
        for tensor, values in _observed(model, samples, counted, "calibrating: histograms"):
            histograms[tensor.index].add(values)
    ranges = {
        tensor: range_of(method, extremes[tensor.index], histograms.get(tensor.index), bits=bits, percentile=percentile)
        for tensor in activations
    }
    return {
        tensor.name: {
            name: np.full((1,) * len(tensor.shape), value, np.float32)
            for name, value in zip(("min", "max"), limits, strict=True)
        }
        for tensor, limits in ranges.items()
    }


def _activations(graph: Graph) -> list[Tensor]:
    """The float tensors that a sample fills; others may lie in the file without any memory of their own."""
    used = {*graph.inputs, *(index for operator in graph.operators for index in operator.outputs)}
    return [graph.tensors[index] for index in sorted(used) if _is_activation(graph.tensors[index])]


def _is_activation(tensor: Tensor) -> bool:
    return tensor.dtype == "float32" and not tensor.is_constant


def _observed(
    model: bytes, samples: Samples, tensors: list[Tensor], message: str
) -> Iterator[tuple[Tensor, NDArray[Any]]]:
    """Each tensor's values for each sample."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "intended for debugging purposes only": this is one
        interpreter = Interpreter(
            model_content=model,
            experimental_preserve_all_tensors=True,
            experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,  # a delegate hides tensors
            num_threads=1,
        )
    interpreter.allocate_tensors()
    inputs = [detail["index"] for detail in interpreter.get_input_details()]
    for done, sample in enumerate(samples(), start=1):
        interpreter.reset_all_variables()  # each sample begins anew
        for index, value in zip(inputs, sample, strict=True):
            interpreter.set_tensor(index, value)
        interpreter.invoke()
        for tensor in tensors:
            yield tensor, interpreter.get_tensor(tensor.index)
        tell(message, done=done)
