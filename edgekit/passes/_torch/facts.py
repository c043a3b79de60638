"""What a module is: parameters, multiply-accumulates, operators and memory, counted on one inference."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from edgekit.passes._torch.loading import Loaded, example


def module_facts(loaded: Loaded) -> dict[str, Any]:
    """Facts of a float module in the form of `edgekit.flows._child.facts`."""
    return {
        "parameters": sum(parameter.numel() for parameter in loaded.module.parameters()),
        "macs": multiply_accumulates(loaded.module, example(loaded.inputs)),
        "mac_dtypes": {},
        "ops": operators(loaded.module, example(loaded.inputs)),
        "dtypes": sorted({str(each.dtype).removeprefix("torch.") for each in loaded.module.parameters()}),
        "hybrid_ops": [],
        "open_shapes": [],
        "activation_bytes": activation_bytes(loaded.module, example(loaded.inputs)),
        "has_float_weights": True,
        "is_fully_integer": False,
        "weights": weight_facts(loaded.module.parameters()),
    }


def weight_facts(tensors: Iterable[Any]) -> dict[str, Any]:
    """Zeros and different values among weights, as `edgekit.core.tflite.weights.weight_facts` counts them.

    Args:
        tensors: all of a model's; those with fewer than two axes (biases, scales) do not count.

    Returns:
        `sparsity` (share of zeros, 0 to 1) and `unique_weights` (most different values of one tensor).
    """
    import torch

    weights = [each.detach() for each in tensors if isinstance(each, torch.Tensor) and each.dim() > 1]
    count = sum(each.numel() for each in weights)
    zeros = sum(int((each == 0).sum()) for each in weights)
    return {
        "sparsity": zeros / count if count else 0.0,
        "unique_weights": max((int(each.unique().numel()) for each in weights), default=0),
    }


def multiply_accumulates(module: Any, inputs: Sequence[Any]) -> int:
    """Of convolutions and matrix products in one inference; torch counts two operations for each."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        module(*inputs)
    return int(counter.get_total_flops()) // 2


def operators(module: Any, inputs: Sequence[Any]) -> list[dict[str, Any]]:
    """Operators of one inference by name, as `torch.ops.aten` calls them."""
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode

    counts: dict[str, int] = {}

    class Counting(TorchDispatchMode):
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            name = func.overloadpacket.__name__
            counts[name] = counts.get(name, 0) + 1
            return func(*args, **(kwargs or {}))

    with torch.no_grad(), Counting():
        module(*inputs)
    return [{"name": name, "count": counts[name], "version": 1, "custom": False} for name in sorted(counts)]


def activation_bytes(module: Any, inputs: Sequence[Any]) -> int:
    """Largest sum of one operator's tensors that are no weights: the lower bound of any memory plan."""
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils._pytree import tree_leaves

    weights = {each.data_ptr() for each in (*module.parameters(), *module.buffers())}
    peak = 0

    class Weighing(TorchDispatchMode):
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            nonlocal peak
            result = func(*args, **(kwargs or {}))
            tensors = {
                leaf.data_ptr(): leaf.numel() * leaf.element_size()
                for leaf in tree_leaves((args, kwargs, result))
                if isinstance(leaf, torch.Tensor) and leaf.data_ptr() not in weights
            }
            peak = max(peak, sum(tensors.values()))
            return result

    with torch.no_grad(), Weighing():
        module(*inputs)
    return peak
