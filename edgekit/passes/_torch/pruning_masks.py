"""Which weights stay while a PyTorch model is pruned: masks that are cut, kept through a training, and proven."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgekit.core.errors import InternalError
from edgekit.passes._keras.kernels import listed
from edgekit.passes._torch.pruning_plan import Group, Plan


class Masks:
    """One mask for each weight tensor of a plan.

    Attributes:
        stays: key of a tensor -> float32 tensor of its shape, 1 for what stays, else 0; changed in place. (A product
            with it takes a twentieth of the time that filling by a bool mask takes.)
    """

    def __init__(self, plan: Plan) -> None:
        import torch

        self.plan = plan
        self.stays: dict[str, Any] = {
            weight.key: torch.ones_like(weight.parameter, requires_grad=False) for weight in plan.weights
        }

    def cut(self, group: Group, scores: Mapping[str, Any], sparsity: float, *, comes_back: bool = False) -> None:
        """Keep the weights of the highest scores; of equal ones the first.

        Args:
            group: tensors that compete.
            scores: key -> float tensor of the weight's shape.
            sparsity: share of zeros among them; the best weight of each tensor stays in any case.
            comes_back: what was cut before competes too.
        """
        import torch

        ranked = []
        for weight in group.weights:
            values = scores[weight.key].detach().to(torch.float64).flatten()
            if not comes_back:
                values = values.masked_fill(self.stays[weight.key].flatten() == 0, -torch.inf)
            best = torch.arange(values.numel()) == values.argmax()
            ranked.append(values.masked_fill(best, torch.inf))
        order = torch.argsort(torch.cat(ranked), descending=True, stable=True)
        chosen = torch.zeros(len(order), dtype=torch.bool)
        chosen[order[: group.kept(sparsity)]] = True
        parts = chosen.split([each.numel() for each in ranked])
        for weight, part in zip(group.weights, parts, strict=True):
            self.stays[weight.key].copy_(part.view_as(weight.parameter))

    def apply(self) -> None:
        """Set to zero what was cut; adding 0 makes 0.0 of a product of -0.0, which is other bytes."""
        for weight in self.plan.weights:
            weight.parameter.detach().mul_(self.stays[weight.key]).add_(0.0)

    def silence(self) -> None:
        """Set the gradients of what was cut to zero, so that no momentum gathers there."""
        for weight in self.plan.weights:
            if weight.parameter.grad is not None:
                weight.parameter.grad.mul_(self.stays[weight.key])

    def are_final(self) -> bool:
        """Whether every group has its final sparsity."""
        return all(
            sum(int(self.stays[weight.key].count_nonzero()) for weight in group.weights) == group.kept(group.sparsity)
            for group in self.plan.groups
        )


def check(path: str, plan: Plan) -> dict[str, float]:
    """Sparsity of each tensor that was cut, in a written "torch" artifact, by the tensor's name.

    Raises:
        InternalError: a group is less sparse than it was to be.
    """
    import numpy as np
    from safetensors import safe_open

    found: dict[str, float] = {}
    with safe_open(path, framework="np") as file:
        for group in plan.groups:
            tensors = {weight.name: file.get_tensor(weight.key) for weight in group.weights}
            left = sum(int(np.count_nonzero(tensor)) for tensor in tensors.values())
            if left > group.kept(group.sparsity):
                size = sum(tensor.size for tensor in tensors.values())
                raise InternalError(
                    f"{listed(list(tensors))} came out with a sparsity of {1 - left / size:.4f} instead of "
                    f"{group.sparsity:.4f}",
                    hint="report this with the command that you ran",
                )
            found |= {name: float((tensor == 0).mean()) for name, tensor in tensors.items()}
    return found


def notes_of(plan: Plan, found: Mapping[str, float]) -> list[str]:
    """The sparsity by tensor, what one threshold for all nearly cut through, and what stayed dense."""
    rivals = [weight for group in plan.groups if len(group.weights) > 1 for weight in group.weights]
    by_share: dict[str, list[str]] = {}
    for name, share in found.items():
        by_share.setdefault(f"{share:.2f}", []).append(name)
    notes = [
        f"Sparsity {'; '.join(f'{share} in {listed(by_share[share])}' for share in sorted(by_share, reverse=True))}."
    ]
    thin = [weight.name for weight in rivals if round((1 - found[weight.name]) * weight.parameter.numel()) <= 1]
    if thin:
        notes.append(f'Down to one weight, so that little gets through: {listed(thin)}; scope = "layer" spreads it.')
    if plan.dense:
        notes.append(f"Left dense: {listed([f'{name} ({why})' for name, why in plan.dense.items()])}.")
    return notes
