"""Let the weights of a PyTorch model share a few values, a codebook a tensor, and fine-tune the codebooks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from edgekit.core.errors import ConfigurationError
from edgekit.passes._patterns import check_patterns
from edgekit.passes._torch_pass import TorchTrainingPass
from edgekit.passes._training import TrainingParams

_MOST = 256


@dataclass(frozen=True, kw_only=True)
class TorchShareParams(TrainingParams):
    """Parameters of `torch_share`: weight sharing as in Deep Compression.

    Han et al. 2016, arXiv 1510.00149, section 3. k-means says which weights share a value; from then on each keeps its
    group, and the training moves the values: their gradient is the sum of the gradients of their group. `ptl_shared`
    stores the result as codebooks and packed positions; biases and normalizations stay as they are.

    Attributes:
        clusters: different values of a tensor, 2 to 256; 16 take 4 bits a weight. Tensors that have no more weights
            than that stay as they are.
        init: where k-means begins. "linear" takes even steps from the lowest to the highest weight, which keeps large
            weights best (section 3.2), "density" even steps of the weights' distribution, "random" weights drawn at
            random, "kmeans++" weights that lie far from each other.
        per_channel: `clusters` values for each output channel instead of for the whole tensor.
        preserve_sparsity: weights that are zero stay zero, as after `torch_prune`; zero is one of the values then.
        fine_tune: train for `epochs`; without it the values are those of k-means.
        layers: regular expression for a whole layer name -> number of clusters; the first that matches counts.
        skip: regular expressions for whole names of layers that stay as they are.
    """

    clusters: int = 16
    init: Literal["linear", "density", "random", "kmeans++"] = "linear"
    per_channel: bool = False
    preserve_sparsity: bool = False
    fine_tune: bool = True
    layers: Mapping[str, int] = field(default_factory=dict)
    skip: tuple[str, ...] = ()


class TorchShare(TorchTrainingPass[TorchShareParams]):
    """The pass `torch_share`."""

    name = "torch_share"
    version = "1"
    params_type = TorchShareParams
    function = "edgekit.passes._torch.sharing:share"

    def _check(self, params: TorchShareParams) -> None:
        fewest = 3 if params.preserve_sparsity else 2
        numbers = {"clusters": params.clusters, **{f"layers[{name!r}]": each for name, each in params.layers.items()}}
        for name, number in numbers.items():
            if not fewest <= number <= _MOST:
                zero = ", zero among them" if params.preserve_sparsity else ""
                raise ConfigurationError(
                    f"{self.name}.{name} is {number!r}", hint=f"take {fewest} to {_MOST} values{zero}, such as 16"
                )
        check_patterns(f"{self.name}.layers", params.layers)
        check_patterns(f"{self.name}.skip", params.skip)


PASS = TorchShare()
