"""What the passes share that make PyTorch models sparse: which weights, and how many of them go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from edgekit.passes._patterns import check_patterns
from edgekit.passes._pruning import check_shares
from edgekit.passes._torch_pass import TorchTrainingPass
from edgekit.passes._training import TrainingParams


@dataclass(frozen=True, kw_only=True)
class SparsityParams(TrainingParams):
    """Which weights go.

    Attributes:
        sparsity: share of zeros among the weights at the end.
        scope: "layer" gives each weight tensor that share, "global" finds one threshold for all of them together, so
            that wide layers lose more than narrow ones.
        layers: regular expression for a layer's whole name ("features.0") -> sparsity of that layer, whatever the
            scope; the first that matches counts.
        types: class of a layer, e.g. "Conv2d" -> sparsity of each such layer, where `layers` says nothing.
        skip: regular expressions for whole names of layers that stay dense.
        reinitialise: train from new weights instead of those of the model.
    """

    sparsity: float = 0.5
    scope: Literal["layer", "global"] = "layer"
    layers: Mapping[str, float] = field(default_factory=dict)
    types: Mapping[str, float] = field(default_factory=dict)
    skip: tuple[str, ...] = ()
    reinitialise: bool = False


ParamsT = TypeVar("ParamsT", bound=SparsityParams)


class SparseTrainingPass(TorchTrainingPass[ParamsT]):
    """A training pass that makes a PyTorch model sparse."""

    def _check(self, params: ParamsT) -> None:
        check_shares(self.name, params, "sparsity")
        check_patterns(f"{self.name}.layers", params.layers)
        check_patterns(f"{self.name}.skip", params.skip)
