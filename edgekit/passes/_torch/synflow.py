"""Pruning before training, without data, by synaptic flow (Tanaka et al. 2020, arXiv 2006.05467)."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from edgekit.core.artifact import TensorSpec
from edgekit.core.errors import UnsupportedError
from edgekit.passes._torch.loading import leaves
from edgekit.passes._torch.pruning_masks import Masks


def synflow(module: Any, inputs: Sequence[TensorSpec], masks: Masks, rounds: int, *, name: str) -> None:
    """Cut a module's masks to their final sparsity.

    The score of a weight is the gradient of R = sum of the outputs for inputs of ones, in the module with the absolute
    values of all its parameters, times that value (section 4, equation 2). In round k of n the density is the final one
    to the power k / n (algorithm 1), with scores of what is left then; that keeps whole layers from going (theorem 3).
    Batch norm runs on its statistics, its mean set to 0, so that nothing in the module is negative.

    Args:
        module: in evaluation mode; it is left as it is.
        inputs: its signature.
        masks: of the module's weights, cut in place.
        rounds: n.
        name: of the model, for messages.

    Raises:
        UnsupportedError: nothing flows through a layer, as before a softmax.
    """
    import torch

    flowing = copy.deepcopy(module).double().eval()
    with torch.no_grad():
        for tensor in flowing.parameters():
            tensor.abs_()
        for key, buffer in flowing.named_buffers():
            if key.rpartition(".")[2] == "running_mean":
                buffer.zero_()
    parameters = dict(flowing.named_parameters())
    ones = [torch.ones((1, *spec.shape[1:]), dtype=_dtype(spec)) for spec in inputs]
    for step in range(1, rounds + 1):
        _apply(parameters, masks)
        flowing.zero_grad(set_to_none=True)
        with torch.enable_grad():
            sum(answer.sum() for answer in leaves(flowing(*ones))).backward()
        scores = {}
        for weight in masks.plan.weights:
            gradient = parameters[weight.key].grad
            score = None if gradient is None else gradient * parameters[weight.key].detach()
            if score is None or not bool(score.isfinite().all()) or not bool(score.any()):
                raise UnsupportedError(
                    f"synflow finds no flow through {weight.name} of {name}, in round {step} of {rounds}",
                    hint="it needs outputs that grow with the weights, so no softmax, sigmoid or ReLU6 behind a layer: "
                    'let the model end in scores, or take criterion = "l1"',
                )
            scores[weight.key] = score
        for group in masks.plan.groups:
            masks.cut(group, scores, group.after(step / rounds))


def _apply(parameters: dict[str, Any], masks: Masks) -> None:
    for key, stays in masks.stays.items():
        parameters[key].detach().mul_(stays)


def _dtype(spec: TensorSpec) -> Any:
    """Double precision for floats, as the flow of a deep module grows fast; positions in a table stay integers."""
    import torch

    dtype = getattr(torch, spec.dtype)
    return torch.float64 if dtype.is_floating_point else dtype
