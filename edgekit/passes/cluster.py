"""Let the weights of a layer share a few values while training goes on, so that the model compresses better."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from edgekit.core.errors import ConfigurationError
from edgekit.passes._patterns import check_patterns
from edgekit.passes._training import TrainingParams, TrainingPass

DEFAULT_CLUSTERS = 16


@dataclass(frozen=True, kw_only=True)
class ClusterParams(TrainingParams):
    """Parameters of `cluster`.

    A later int8 conversion with one scale a channel may turn a shared value into several int8 values of a tensor, but
    never into more than `clusters` of one channel.

    Attributes:
        clusters: different values that each weight tensor may hold; a tensor must have as many weights. None takes 16,
            and leaves tensors with fewer weights as they are.
        init: where the values start. "kmeans++" takes weights that lie far from each other, "linear" even steps from
            the lowest to the highest weight, "density" even steps of the weights' distribution, "random" draws evenly
            between the lowest and the highest.
        per_channel: `clusters` values for each output channel of a Conv2D instead of for its whole kernel.
        preserve_sparsity: weights that are zero stay zero, as after `prune`; zero is one of the values then.
        layers: regular expression for a whole layer name -> number of clusters; the first that matches counts.
        skip: regular expressions for whole names of layers that stay as they are.
    """

    clusters: int | None = None
    init: Literal["linear", "random", "density", "kmeans++"] = "kmeans++"
    per_channel: bool = False
    preserve_sparsity: bool = False
    layers: Mapping[str, int] = field(default_factory=dict)
    skip: tuple[str, ...] = ()


class Cluster(TrainingPass[ClusterParams]):
    """The pass `cluster`."""

    name = "cluster"
    version = "1"
    params_type = ClusterParams
    function = "edgekit.passes._keras.clustering:cluster"

    def _check(self, params: ClusterParams) -> None:
        fewest = 3 if params.preserve_sparsity else 2
        numbers = {} if params.clusters is None else {"clusters": params.clusters}
        numbers |= {f"layers[{name!r}]": number for name, number in params.layers.items()}
        for name, number in numbers.items():
            if not fewest <= number <= 65536:
                zero = ", zero among them" if params.preserve_sparsity else ""
                raise ConfigurationError(
                    f"{self.name}.{name} is {number!r}", hint=f"take {fewest} or more values{zero}, such as 16"
                )
        check_patterns(f"{self.name}.layers", params.layers)
        check_patterns(f"{self.name}.skip", params.skip)


PASS = Cluster()
