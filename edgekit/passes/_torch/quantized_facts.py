"""What a .ptl is: what no reader of the file could tell as well as the module that it was written from."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from edgekit.passes._torch.facts import activation_bytes, multiply_accumulates
from edgekit.passes._torch.layers import is_quantizable


def lite_facts(
    float_module: Any, module: Any, inputs: Sequence[Any], *, layers: Sequence[dict[str, Any]], operators: list[Any]
) -> dict[str, Any]:
    """Facts in the form of `edgekit.flows._child.facts`, and more.

    Args:
        float_module: before quantization.
        module: what was written; the same for a float model.
        inputs: of one sample.
        layers: of the float module, as `edgekit.passes._torch.layers.layers_of` gives them.
        operators: of the file.

    Returns:
        The facts; besides "weights": {"sparsity", "unique_weights"}, and "output_step": for each output the real value
        of one quantization step, 0 where nothing on its way is quantized.
    """
    kept = float_layers(module, layers)
    quantized = [layer for layer in layers if layer["name"] not in kept]
    macs = max(multiply_accumulates(float_module, inputs), sum(layer["macs"] for layer in layers))
    hybrid = sorted({each["name"] for each in operators if "dynamic" in each["name"]})
    in_integers = 0 if hybrid else sum(layer["macs"] for layer in quantized)
    by_type = {"float32": macs - in_integers, "int8": in_integers}
    weights = list(_weights(module))
    floats = any(dtype == "float32" for dtype, _, _ in weights)
    return {
        "parameters": sum(parameter.numel() for parameter in float_module.parameters()),
        "macs": macs,
        "mac_dtypes": {dtype: count for dtype, count in by_type.items() if count},
        "ops": operators,
        "dtypes": sorted({"float32", *(dtype for dtype, _, _ in weights)}),
        "hybrid_ops": hybrid,
        "open_shapes": [],
        "activation_bytes": activation_bytes(module, inputs),
        "has_float_weights": floats,
        "is_fully_integer": False,
        "weights": _weighed(weights),
        "output_step": output_steps(module, inputs),
    }


def float_layers(module: Any, layers: Sequence[dict[str, Any]]) -> list[str]:
    """Names of the layers that compute in float, as the float module has them.

    Args:
        module: quantized, or float; eager mode wraps layers, and fusion makes a layer the first of a sequence.
        layers: of the float module, as `edgekit.passes._torch.layers.layers_of` gives them.
    """
    kept = [name for name, layer in module.named_modules() if is_quantizable(layer)]
    found = {*kept, *(re.sub(r"^module\.|\.module$", "", name) for name in kept)}
    return [layer["name"] for layer in layers if found & {layer["name"], f"{layer['name']}.0"}]


def _weights(module: Any) -> Iterator[tuple[str, Any, Any]]:
    """Type, values and zero points of each weight with two axes or more; biases and normalisations have one."""
    import torch

    for layer in module.modules():
        getter = getattr(layer, "get_weight", None) or getattr(layer, "weight", None)
        found = getter() if callable(getter) else None
        for weight in found.values() if isinstance(found, dict) else [found]:
            if isinstance(weight, torch.Tensor) and weight.is_quantized:
                yield "int8", weight.int_repr().numpy(), _zero_points(weight)
    for parameter in module.parameters():
        if parameter.dim() > 1:
            yield str(parameter.dtype).removeprefix("torch."), parameter.detach().numpy(), 0


def _zero_points(weight: Any) -> Any:
    if weight.qscheme() in _per_tensor():
        return weight.q_zero_point()
    points = weight.q_per_channel_zero_points().numpy()
    axes = [1] * weight.dim()
    axes[weight.q_per_channel_axis()] = -1
    return points.reshape(axes)


def _per_tensor() -> tuple[Any, ...]:
    import torch

    return torch.per_tensor_affine, torch.per_tensor_symmetric


def _weighed(weights: Sequence[tuple[str, Any, Any]]) -> dict[str, Any]:
    """Zeros and different values, as `edgekit.core.tflite.weights.weight_facts` counts them."""
    import numpy as np

    elements = sum(values.size for _, values, _ in weights)
    zeros = sum(int((values == point).sum()) for _, values, point in weights)
    return {
        "sparsity": zeros / elements if elements else 0.0,
        "unique_weights": max((len(np.unique(values)) for _, values, _ in weights), default=0),
    }


def output_steps(module: Any, inputs: Sequence[Any]) -> list[float]:
    """For each output the real value of the last quantization step on its way; 0 where there is none.

    A function in float after it, such as softmax, is taken to pass the step on. A dynamic layer rounds its input to
    255 steps of the range that it sees: its outputs move by such a step times the largest weight.
    """
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils._pytree import tree_leaves

    from edgekit.passes._torch.loading import leaves

    mode: Any = TorchDispatchMode
    held: list[Any] = []  # so that no id comes twice
    steps: dict[int, float] = {}

    class Following(mode):
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            result = func(*args, **(kwargs or {}))
            given = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
            step = max((steps.get(id(leaf), 0.0) for leaf in given), default=0.0)
            if func.overloadpacket.__name__ == "dequantize" and given[0].qscheme() in _per_tensor():
                step = float(given[0].q_scale())
            for leaf in tree_leaves(result):
                if isinstance(leaf, torch.Tensor):
                    held.append(leaf)
                    steps[id(leaf)] = step
            return result

    hooks = [
        layer.register_forward_hook(lambda one, given, result: _note_dynamic(one, given[0], result, steps, held))
        for layer in module.modules()
        if type(layer).__module__.startswith("torch.ao.nn.quantized.dynamic")
    ]
    with torch.no_grad(), Following():
        found = [steps.get(id(leaf), 0.0) for leaf in leaves(module(*inputs))]
    for hook in hooks:
        hook.remove()
    return found


def _note_dynamic(layer: Any, given: Any, result: Any, steps: dict[int, float], held: list[Any]) -> None:
    import torch

    weight = layer.weight() if callable(getattr(layer, "weight", None)) else None
    if not isinstance(weight, torch.Tensor):
        return
    span = float(given.max().clamp(min=0) - given.min().clamp(max=0))
    held.append(result)
    steps[id(result)] = span / 255 * float(weight.dequantize().abs().max())
