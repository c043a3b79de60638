"""Set the smallest weights to zero while training goes on, so that the model compresses better."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from edgekit.core.errors import ConfigurationError
from edgekit.passes._patterns import check_patterns
from edgekit.passes._pruning import check_schedule, check_shares
from edgekit.passes._training import TrainingParams, TrainingPass

_UNSTRUCTURED = "unstructured"


@dataclass(frozen=True, kw_only=True)
class PruneParams(TrainingParams):
    """Parameters of `prune`.

    Attributes:
        sparsity: share of zeros in each weight tensor at the end.
        initial_sparsity: share at the start of a polynomial schedule.
        schedule: "polynomial" raises the sparsity step by step (Zhu and Gupta 2017, arXiv 1710.01878), "constant" asks
            for all of it from the start.
        begin: share of the training after which pruning starts.
        end: share of the training after which nothing more is cut; the rest mends the accuracy.
        frequency: optimizer steps between two cuts, at most.
        power: exponent of the polynomial schedule.
        pattern: "unstructured", or "2:4": two zeros in each four weights that are neighbours along a kernel's input
            channels, which is the last axis of the weights in a .tflite; any other "m:n" goes too. The sparsity is then
            m/n, and all is cut at the first step.
        block_size: height (inputs) and width (outputs) of blocks that go as a whole; (1, 1) for none. In a convolution
            all axes but the output channels count as inputs.
        layers: regular expression for a whole layer name -> sparsity of that layer; the first that matches counts.
        types: class of a layer, e.g. "Conv2D" -> sparsity of such layers, where `layers` says nothing.
        skip: regular expressions for whole names of layers that stay dense.
        reinitialise: train from new weights instead of those of the model.
    """

    sparsity: float = 0.5
    initial_sparsity: float = 0.0
    schedule: Literal["polynomial", "constant"] = "polynomial"
    begin: float = 0.0
    end: float = 0.7
    frequency: int = 10
    power: float = 3.0
    pattern: str = _UNSTRUCTURED
    block_size: tuple[int, ...] = (1, 1)
    layers: Mapping[str, float] = field(default_factory=dict)
    types: Mapping[str, float] = field(default_factory=dict)
    skip: tuple[str, ...] = ()
    reinitialise: bool = False


class Prune(TrainingPass[PruneParams]):
    """The pass `prune`."""

    name = "prune"
    version = "1"
    params_type = PruneParams
    function = "edgekit.passes._keras.pruning:prune"

    def _check(self, params: PruneParams) -> None:
        check_shares(self.name, params, "sparsity", "initial_sparsity")
        check_schedule(self.name, params)
        if len(params.block_size) != 2 or any(not 1 <= size <= 1024 for size in params.block_size):
            raise ConfigurationError(
                f"{self.name}.block_size is {params.block_size!r}", hint="take height and width, such as [4, 1]"
            )
        check_patterns(f"{self.name}.layers", params.layers)
        check_patterns(f"{self.name}.skip", params.skip)
        self._check_pattern(params)

    def _check_pattern(self, params: PruneParams) -> None:
        if params.pattern == _UNSTRUCTURED:
            return
        zeros, group = parse_pattern(params.pattern) or (0, 0)
        if not 0 < zeros < group <= 64:
            raise ConfigurationError(
                f"{self.name}.pattern is {params.pattern!r}",
                hint='take "unstructured", or "m:n" for m zeros in each n weights, such as "2:4"',
            )
        if tuple(params.block_size) != (1, 1) or params.layers or params.types:
            raise ConfigurationError(
                f"{self.name}.pattern is {params.pattern!r}, which says the sparsity of all layers",
                hint="leave out block_size, layers and types; skip keeps layers dense",
            )


def parse_pattern(pattern: str) -> tuple[int, int] | None:
    """Zeros and group size of an "m:n" pattern, None for any other text."""
    found = re.fullmatch(r"(\d{1,2}):(\d{1,2})", pattern)
    return None if found is None else (int(found[1]), int(found[2]))


PASS = Prune()
