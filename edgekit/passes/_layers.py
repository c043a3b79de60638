"""The layers of a float .tflite that a quantizer can treat one by one, and the names by which people choose them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from edgekit.core.errors import ConfigurationError
from edgekit.core.tflite.facts import multiply_accumulates
from edgekit.core.tflite.model import Graph, Model, Operator, Tensor, parse_model

_CLOSE = 3


def layers(path: str) -> list[dict[str, Any]]:
    """The layers of a float .tflite that static int8 quantization can compute in integers, in the file's order.

    Runs in the child process: `isolate.call("edgekit.passes._layers:layers", {"path": ...}, what=...)`.

    Args:
        path: a float32 .tflite, e.g. what the pass `tflite` wrote.

    Returns:
        One dict a layer: `name` (names of its output tensors, joined by ";": what `keep_float` and `keep_int16` are
        matched with; `exactly(name)` matches it alone), `op` ("CONV_2D"), `weights` (how many float constants it
        reads, bias included; 0 for an addition or a softmax), `weight_bytes` (of those in float32) and `macs`.
    """
    return layers_of(parse_model(Path(path).read_bytes()))


def layers_of(model: Model) -> list[dict[str, Any]]:
    """As `layers`, from a parsed model."""
    graph = model.main
    quantizable = _quantizable_ops()
    return [
        {
            "name": layer_name(graph, operator),
            "op": operator.name,
            "weights": sum(tensor.elements for tensor in _weights(graph, operator)),
            "weight_bytes": sum(len(tensor.data) for tensor in _weights(graph, operator)),
            "macs": multiply_accumulates(replace(model, graphs=(replace(graph, operators=(operator,)),))),
        }
        for operator in graph.operators
        if operator.name in quantizable and any(graph.tensors[index].dtype == "float32" for index in operator.outputs)
    ]


def layer_name(graph: Graph, operator: Operator) -> str:
    """The names of the operator's outputs, joined by ";"."""
    return ";".join(graph.tensors[index].name for index in operator.outputs)


def exactly(name: str) -> str:
    """The regular expression for `keep_float` that matches one layer and no other."""
    return f"^{re.escape(name)}$"


def select(found: Sequence[dict[str, Any]], patterns: Iterable[str], *, parameter: str) -> list[str]:
    r"""Names of the layers that people mean.

    Args:
        found: what `layers` gave.
        patterns: each a regular expression that is searched in a layer's name ("dense_1", "block_3/.*"), or the name
            of an operator ("FULLY_CONNECTED") for all layers of that kind.
        parameter: for messages, e.g. "int8.keep_float".

    Raises:
        ConfigurationError: a pattern is not a regular expression, or matches no layer.
    """
    chosen: set[str] = set()
    for pattern in patterns:
        try:
            compiled = re.compile(pattern)
        except re.error as cause:
            raise ConfigurationError(
                f"{parameter}: {pattern!r} is no regular expression: {cause}", hint="put a \\ before each of ()[]+*?.|"
            ) from cause
        matching = {layer["name"] for layer in found if pattern == layer["op"] or compiled.search(layer["name"])}
        if not matching:
            raise ConfigurationError(f"{parameter}: {pattern!r} matches no layer", hint=_closest(pattern, found))
        chosen |= matching
    return [layer["name"] for layer in found if layer["name"] in chosen]


def _closest(pattern: str, found: Sequence[dict[str, Any]]) -> str:
    """The names that look most like a pattern; the ends of long names count, as they tell layers apart."""
    names = [layer["name"] for layer in found]
    parts = {part: name for name in names for part in (name, *re.split(r"[;/]", name)) if part}
    close = get_close_matches(pattern, parts, n=_CLOSE, cutoff=0.5)
    shown = list(dict.fromkeys(parts[part] for part in close)) or names[:_CLOSE]
    return f"the closest are {', '.join(map(repr, shown))}" if shown else "the model has no layer to quantize"


def _weights(graph: Graph, operator: Operator) -> list[Tensor]:
    tensors = [graph.tensors[index] for index in operator.inputs if index >= 0]
    return [tensor for tensor in tensors if tensor.is_constant and tensor.dtype == "float32"]


def _quantizable_ops() -> set[str]:
    """Operators that litert-quantizer can make int8, under TFLite's names."""
    from litert_quantizer import algorithm_manager, recipe
    from litert_quantizer.qtyping import OpQuantizationConfig, TFLOperationName

    config = OpQuantizationConfig.from_dict(recipe.static_wi8_ai8()[0]["op_config"])
    known = set()
    for operation in TFLOperationName:
        try:
            algorithm_manager.check_op_quantization_config(
                algorithm_manager.AlgorithmName.MIN_MAX_UNIFORM_QUANT, operation, config
            )
        except ValueError:
            continue
        known.add({"CONV_2D_TRANSPOSE": "TRANSPOSE_CONV"}.get(operation.value, operation.value))
    return known - {"*", "INPUT", "OUTPUT", "STABLEHLO_COMPOSITE"}
