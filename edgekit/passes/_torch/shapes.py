"""Give modules the shapes of the weights that they are to hold, as a structured pass left them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def fit_shapes(module: Any, weights: Mapping[str, Any]) -> None:
    """Shrink the layers of a module to the weights of the same names.

    Only layers whose sizes follow from their weights are touched: convolutions, linear layers and normalizations.

    Raises:
        ValueError: another layer, or another number of axes.
    """
    for name, layer in module.named_modules():
        prefix = f"{name}." if name else ""
        own = dict((*layer.named_parameters(recurse=False), *layer.named_buffers(recurse=False)))
        changed = [
            key
            for key, value in own.items()
            if (new := weights.get(prefix + key)) is not None and new.shape != value.shape
        ]
        if not changed:
            continue
        for key in changed:
            _replace(layer, key, weights[prefix + key], prefix)
        _settle_sizes(layer, prefix or "the model")


def _replace(layer: Any, key: str, new: Any, prefix: str) -> None:
    import torch

    old = getattr(layer, key)
    if old.dim() != new.dim():
        raise ValueError(f"{prefix}{key} has the shape {list(new.shape)}, the model has {list(old.shape)}")
    fresh = torch.empty(new.shape, dtype=old.dtype)
    if isinstance(old, torch.nn.Parameter):
        setattr(layer, key, torch.nn.Parameter(fresh, requires_grad=old.requires_grad))
    else:
        setattr(layer, key, fresh)


def _settle_sizes(layer: Any, name: str) -> None:
    """The attributes that a layer computes by, from the shape of its weight."""
    from torch import nn

    weight = layer.weight
    if isinstance(layer, (nn.Conv1d, nn.Conv2d, nn.Conv3d)):
        multiplier = layer.out_channels // layer.in_channels
        depthwise = layer.groups == layer.in_channels > 1
        layer.out_channels = weight.shape[0]
        if depthwise:
            layer.groups = layer.in_channels = layer.out_channels // multiplier
        else:
            layer.in_channels = weight.shape[1] * layer.groups
    elif isinstance(layer, (nn.ConvTranspose1d, nn.ConvTranspose2d)):
        layer.in_channels, layer.out_channels = weight.shape[0], weight.shape[1] * layer.groups
    elif isinstance(layer, nn.Linear):
        layer.out_features, layer.in_features = weight.shape
    elif isinstance(layer, (nn.BatchNorm1d, nn.BatchNorm2d)):
        layer.num_features = weight.shape[0]
    elif isinstance(layer, nn.LayerNorm):
        layer.normalized_shape = tuple(weight.shape)
    else:
        raise ValueError(f"the layer {name} ({type(layer).__name__}) cannot change its size")
