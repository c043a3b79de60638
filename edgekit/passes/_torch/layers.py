"""The layers of a module that quantization treats one by one, and what each costs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from edgekit.passes._torch.loading import example, load


def layers(path: str) -> list[dict[str, Any]]:
    """The layers of a "torch" artifact that the quantizing passes can leave in float, in the module's order.

    Runs in the child process.

    Returns:
        As `edgekit.passes._layers.layers`: `name` (dotted, as in `named_modules`: what `keep_float` is matched with),
        `op` (the class, "Conv2d"), `weights` (how many, bias included), `weight_bytes` and `macs` of one sample.
    """
    loaded = load(path)
    return layers_of(loaded.module, example(loaded.inputs))


def layers_of(module: Any, inputs: Sequence[Any]) -> list[dict[str, Any]]:
    """As `layers`, from a module in evaluation mode."""
    import torch

    counted: dict[str, int] = {}
    found = {name: layer for name, layer in module.named_modules() if is_quantizable(layer)}
    hooks = [
        layer.register_forward_hook(
            lambda one, given, result, name=name: counted.__setitem__(
                name, counted.get(name, 0) + _multiply_accumulates(one, given[0], result)
            )
        )
        for name, layer in found.items()
    ]
    with torch.no_grad():
        module(*inputs)
    for hook in hooks:
        hook.remove()
    return [
        {
            "name": name,
            "op": type(layer).__name__,
            "weights": sum(each.numel() for each in layer.parameters()),
            "weight_bytes": sum(each.numel() * each.element_size() for each in layer.parameters()),
            "macs": counted.get(name, 0),
        }
        for name, layer in found.items()
    ]


def is_quantizable(layer: Any) -> bool:
    """Whether it is a float layer with weights that some engine has an int8 kernel for."""
    from torch import nn

    return type(layer) in (
        nn.Conv1d,
        nn.Conv2d,
        nn.Conv3d,
        nn.ConvTranspose1d,
        nn.ConvTranspose2d,
        nn.Linear,
        nn.LSTM,
        nn.GRU,
    )


def _multiply_accumulates(layer: Any, given: Any, result: Any) -> int:
    """Of one call: each weight once for each place in which a filter lies, or each step of a sequence."""
    from torch import nn

    if isinstance(layer, (nn.LSTM, nn.GRU)):
        weights = sum(each.numel() for name, each in layer.named_parameters() if name.startswith("weight"))
        return int(weights * given.numel() // given.shape[-1])
    if isinstance(layer, (nn.ConvTranspose1d, nn.ConvTranspose2d)):
        return int(given.numel() * layer.weight.numel() // layer.in_channels)
    if isinstance(layer, nn.Linear):
        return int(result.numel() * layer.in_features)
    return int(result.numel() * layer.weight.numel() // layer.out_channels)
