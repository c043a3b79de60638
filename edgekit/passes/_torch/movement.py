"""Movement pruning: scores that a training learns, by whether it moves a weight away from zero."""

from __future__ import annotations

from typing import Any

from edgekit.passes._torch.pruning_masks import Masks


class Movement:
    """Hard movement pruning (Sanh et al. 2020, arXiv 2005.07683, section 4).

    The score S of a weight W adds up minus the loss's gradient by the masked weight, times W, over all steps, cut
    weights among them (straight-through estimator, equation 6); the highest scores stay (top-v). The scores take plain
    gradient steps of a constant rate, which their order does not depend on. A weight that is cut keeps its value, and
    comes back with it where its score rises enough before the schedule ends.

    Attributes:
        scores: key -> S.
        tensors: what a checkpoint of the training has to keep.
    """

    def __init__(self, masks: Masks) -> None:
        import torch

        self._masks = masks
        self.scores: dict[str, Any] = {
            weight.key: torch.zeros_like(weight.parameter, requires_grad=False) for weight in masks.plan.weights
        }
        self._whole = {weight.key: weight.parameter.detach().clone() for weight in masks.plan.weights}
        self.tensors = (*self.scores.values(), *self._whole.values())

    def learn(self) -> None:
        """Add a step's gradients to the scores; call it before those of cut weights are set to zero."""
        for weight in self._masks.plan.weights:
            if weight.parameter.grad is not None:
                self.scores[weight.key].sub_(weight.parameter.grad * self._whole[weight.key])

    def remember(self) -> None:
        """Take over what the optimizer made of the weights that stay."""
        for weight in self._masks.plan.weights:
            stays = self._masks.stays[weight.key] > 0
            self._whole[weight.key].copy_(weight.parameter.detach().where(stays, self._whole[weight.key]))

    def restore(self) -> None:
        """Give the weights their own values back, those that were cut among them."""
        for weight in self._masks.plan.weights:
            weight.parameter.detach().copy_(self._whole[weight.key])
