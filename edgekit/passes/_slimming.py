"""What the passes share that remove channels: their parameters, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from edgekit.core.errors import ConfigurationError
from edgekit.passes._patterns import check_patterns
from edgekit.passes._training import TrainingParams, TrainingPass

_AMOUNTS = ("ratio", "threshold", "target_macs")


@dataclass(frozen=True, kw_only=True)
class SlimParams(TrainingParams):
    """Parameters of `slim` and `torch_slim`; one of `ratio`, `threshold` and `target_macs` says how much goes.

    Channels that depend on each other, as those of layers that are added, go together (Fang et al. 2023,
    arXiv 2301.12900). Channels of the model's answer stay.

    Attributes:
        ratio: share of the channels that goes; it does not count where `threshold` or `target_macs` is given.
        threshold: channels go that score less than this share of the highest score of their group, or of all groups
            with scope "global"; 0 for none.
        target_macs: share of the model's multiply-accumulates that may stay, e.g. 0.5; 0 for none.
        criterion: how much a channel matters.
            l1, l2: norm of its weights (Li et al. 2017, arXiv 1608.08710);
            bn_scale: the scale of its batch normalization (Network Slimming, Liu et al. 2017, arXiv 1708.06519);
            taylor: first-order estimate of what the loss would change (Molchanov et al. 2019, arXiv 1906.10771).
        scope: "group" takes the same share from every layer, "global" the channels that matter least wherever they
            are; with l1 and l2 each layer's scores are divided by their mean first, as norms depend on a filter's size,
            and for `target_macs` by the multiply-accumulates of a channel.
        layers: regular expression for a whole layer name -> ratio of that layer; of several that match the lowest
            counts, also for layers whose channels are tied. 0 leaves a layer as it is.
        skip: regular expressions for whole names of layers that keep all channels.
        min_channels: what a layer keeps in any case.
        round_to: channels come in multiples of it, e.g. 4 or 8 for SIMD kernels.
        iterations: rounds of removing and fine-tuning; each removes its part of the whole.
        fine_tune: train for `epochs` after each round; without it nothing is trained.
        taylor_samples: training samples that `taylor` is averaged over.
        bn_samples: training samples that the means and variances of batch normalizations are taken anew from, after
            each cut and after each fine-tuning; 0 leaves them to the training loop.
    """

    ratio: float = 0.5
    threshold: float = 0.0
    target_macs: float = 0.0
    criterion: Literal["l1", "l2", "bn_scale", "taylor"] = "l1"
    scope: Literal["group", "global"] = "group"
    layers: Mapping[str, float] = field(default_factory=dict)
    skip: tuple[str, ...] = ()
    min_channels: int = 1
    round_to: int = 1
    iterations: int = 1
    fine_tune: bool = True
    taylor_samples: int = 256
    bn_samples: int = 1024


class Slimming(TrainingPass[SlimParams]):
    """A training pass that removes channels."""

    params_type = SlimParams

    def parse(self, params: Mapping[str, Any]) -> SlimParams:
        """As every training pass does; `threshold` and `target_macs` take the place of the default ratio."""
        others = any(params.get(name) for name in _AMOUNTS[1:])
        return super().parse({"ratio": 0.0, **params} if others else params)

    def _check(self, params: SlimParams) -> None:
        for name, is_wrong, hint in (
            *(
                (name, not 0 <= getattr(params, name) < 1, "take a share from 0 up to 1, 1 excluded")
                for name in _AMOUNTS
            ),
            ("layers", any(not 0 <= ratio < 1 for ratio in params.layers.values()), "take shares from 0 up to 1"),
            ("min_channels", params.min_channels < 1, "keep at least 1"),
            ("round_to", params.round_to < 1, "take 1 or more, such as 8"),
            ("iterations", not 1 <= params.iterations <= 100, "take 1 to 100 rounds"),
            ("taylor_samples", params.taylor_samples < 1, "take at least one sample, such as 256"),
            ("bn_samples", params.bn_samples < 0, "take 0 or more samples, such as 1024"),
        ):
            if is_wrong:
                raise ConfigurationError(f"{self.name}.{name} is {getattr(params, name)!r}", hint=hint)
        given = [name for name in _AMOUNTS if getattr(params, name)]
        if len(given) > 1:
            raise ConfigurationError(f"{self.name} takes {' or '.join(given)}, not both", hint=f"leave out {given[0]}")
        if not given and not any(params.layers.values()):
            raise ConfigurationError(f"{self.name}.ratio is 0.0", hint="take a share of the channels, such as 0.25")
        check_patterns(f"{self.name}.layers", params.layers)
        check_patterns(f"{self.name}.skip", params.skip)
