"""When pruning happens: from shares of the training to optimizer steps that surely reach the final sparsity."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """Steps count from 1, as tfmot's do.

    Attributes:
        kind: "polynomial" or "constant".
        initial: sparsity at the first step of a polynomial schedule.
        begin, end: first and last step that changes the masks.
        frequency: steps between changes; `end - begin` is a multiple, as tfmot would else never reach the end.
        power: exponent of the polynomial.
    """

    kind: str
    initial: float
    begin: int
    end: int
    frequency: int
    power: float

    @classmethod
    def of(cls, params: dict[str, Any], steps: int) -> Schedule:
        """The schedule for a training of `steps` optimizer steps.

        Args:
            params: of `edgekit.passes.prune.PruneParams`.
            steps: two at least.
        """
        begin = min(max(1, math.floor(params["begin"] * steps)), max(1, steps - 1))
        end = min(max(begin + 1, round(params["end"] * steps)), steps)
        frequency = max(1, min(params["frequency"], end - begin))
        begin = end - (end - begin) // frequency * frequency
        return cls(
            kind=params["schedule"],
            initial=params["initial_sparsity"],
            begin=begin,
            end=end,
            frequency=frequency,
            power=params["power"],
        )

    def due(self, step: int) -> bool:
        """Whether the masks change at a step."""
        return self.begin <= step <= self.end and (step - self.begin) % self.frequency == 0

    def sparsity(self, step: int, final: float) -> float:
        """What is asked for at a step (Zhu and Gupta 2017, arXiv 1710.01878, equation 1)."""
        if self.kind == "constant":
            return final
        done = min(1.0, max(0.0, (step - self.begin) / max(1, self.end - self.begin)))
        left: float = (1 - done) ** self.power
        return final + (min(self.initial, final) - final) * left

    def tfmot(self, final: float) -> Any:
        """The same as an object of tensorflow-model-optimization."""
        from tensorflow_model_optimization.sparsity import keras

        if self.kind == "constant":
            return keras.ConstantSparsity(final, self.begin, self.end, self.frequency)
        return keras.PolynomialDecay(
            min(self.initial, final), final, self.begin, self.end, power=self.power, frequency=self.frequency
        )

    def settled_at(self, steps_per_epoch: int) -> int:
        """The first epoch, counted from 0, that ends with the final sparsity."""
        return -(-self.end // steps_per_epoch) - 1
