"""New random weights for a PyTorch module, as its layers draw them."""

from __future__ import annotations

from typing import Any


def renew(module: Any, seed: int) -> list[str]:
    """Draw the weights of every layer anew, and reset what normalizations learned from data.

    The layers' own `reset_parameters` does it, so that a factory that fixes its seed or loads weights changes nothing;
    rules of initialization that the factory adds are not run.

    Args:
        module: changed in place.
        seed: of the draw.

    Returns:
        Notes for the user: the parameters of layers that have no such function, which keep their values.
    """
    import torch

    torch.manual_seed(seed)
    kept = []
    for name, layer in module.named_modules():
        reset = getattr(layer, "reset_parameters", None) or getattr(layer, "_reset_parameters", None)
        if callable(reset):
            reset()
        else:
            prefix = f"{name}." if name else ""
            kept += [f"{prefix}{key}" for key, _ in layer.named_parameters(recurse=False)]
    return [f"Not drawn anew, as its layer has no reset_parameters(): {key}." for key in kept]
