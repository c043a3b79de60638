"""What `torch_slim` takes from which layer: the parameters applied to the channels of one module, round by round."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.core.errors import ConfigurationError, UnsupportedError
from edgekit.core.progress import tell
from edgekit.passes._torch._losses import rule
from edgekit.passes._torch.channel_selection import Limits, below, by_group, by_rank
from edgekit.passes._torch.channels import ANSWER, Channels, Tied
from edgekit.passes._torch.facts import multiply_accumulates
from edgekit.passes._torch.layers import layers_of
from edgekit.passes._torch.loading import Loaded, example
from edgekit.passes._torch.samples import tensors
from edgekit.passes._train.job import TrainingJob
from edgekit.passes._train.order import order, split

_HALVINGS = 8
"""Of the share of channels that is looked for: to 1/256."""
_SHOWN = 8

Scores = dict[str, NDArray[np.float64]]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The way from the module of a job to its smaller form.

    Attributes:
        job: parameters and samples.
        loaded: signature and name of the module, which may be replaced by that of a later round.
        macs: multiply-accumulates of one sample before anything went.
        limits: what stays.
        kept: reasons why groups keep their channels, by the names of their layers.
        widths: channels of each layer before.
        unscored: groups that the criterion says nothing of; filled by the first cut.
    """

    job: TrainingJob
    loaded: Loaded
    macs: int
    limits: Limits
    kept: Mapping[str, str]
    widths: Mapping[str, int]
    unscored: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, job: TrainingJob, loaded: Loaded) -> Plan:
        """The plan for a module.

        Raises:
            ConfigurationError: a pattern matches no layer.
            UnsupportedError: no channel can be removed.
        """
        params = job.params
        channels = Channels(loaded.module, example(loaded.inputs, batch=2), name=loaded.factory)
        names = [name for tied in channels.tied for name in tied.layers]
        for parameter in ("layers", "skip"):
            for pattern in params[parameter]:
                if not any(re.fullmatch(pattern, name) for name in names):
                    raise ConfigurationError(
                        f"torch_slim.{parameter}: no layer is called {pattern!r}",
                        hint=f"layers with channels are: {', '.join(names)}",
                    )
        free = [tied for tied in channels.tied if not tied.why_not and not _matching(tied, params["skip"])]
        if not free:
            reasons = "; ".join(f"{tied.name}: {tied.why_not or 'skip'}" for tied in channels.tied[:_SHOWN])
            raise UnsupportedError(
                f"no channel of {loaded.factory} can be removed ({reasons or 'it has no layer with channels'})",
                hint="compress it with torch_prune or torch_share, which leave shapes as they are",
            )
        return cls(
            job=job,
            loaded=loaded,
            macs=multiply_accumulates(loaded.module, example(loaded.inputs)),
            limits=Limits(
                first={tied.name: tied.count for tied in free},
                ratios={
                    tied.name: min(params["layers"][pattern] for pattern in found)
                    for tied in free
                    if (found := _matching(tied, params["layers"]))
                },
                min_channels=params["min_channels"],
                round_to=params["round_to"],
            ),
            kept={", ".join(tied.layers): tied.why_not for tied in channels.tied if tied.why_not},
            widths={name: tied.count for tied in channels.tied for name in tied.layers},
        )

    def cut(self, module: Any, *, share: float) -> None:
        """Cut a module as one round wants it.

        Args:
            module: in evaluation mode; changed in place.
            share: of the whole way that this round is to reach, above 0 to 1.

        Raises:
            ConfigurationError: nothing would go, or the work cannot become so little.
            UnsupportedError: as `Channels.cut`.
        """
        channels = self._channels(module)
        scores = self._scores(module, channels)
        params = self.job.params
        if params["target_macs"]:
            positions = self._for_work(module, scores, share)
        elif params["threshold"]:
            everywhere = params["scope"] == "global"
            positions = below(scores, params["threshold"] * share, everywhere=everywhere, limits=self._limits(share))
        else:
            positions = self._by_share(scores, params["ratio"] * share, share)
        if not positions and share == 1.0 and self._widths(module) == self.widths:
            raise ConfigurationError(
                f"{self._asked()}, which removes no whole channel of {self.loaded.factory}",
                hint="take more, or lower min_channels or round_to",
            )
        channels.cut(positions)

    def left_out(self) -> list[str]:
        """What keeps its channels although nobody asked for it; the answer's layers do so in any case."""
        reasons = {layers: why for layers, why in self.kept.items() if why != ANSWER}
        return [f"{layers} keep their channels: {why}." for layers, why in list(reasons.items())[:_SHOWN]]

    def changes(self, module: Any) -> list[str]:
        """Channels of each layer before and after, and what had no score."""
        after = self._widths(module)
        changed = [f"{name} {old} to {after[name]}" for name, old in self.widths.items() if after[name] != old]
        notes = [f"Channels: {', '.join(changed)}."]
        if self.unscored:
            notes.append(f"{', '.join(self.unscored)} keep their channels: no batch normalization scales them.")
        return notes

    def _channels(self, module: Any) -> Channels:
        return Channels(module, example(self.loaded.inputs, batch=2), name=self.loaded.factory)

    def _scores(self, module: Any, channels: Channels) -> Scores:
        criterion = self.job.params["criterion"]
        if criterion == "taylor":
            self._differentiate(module)
        found = channels.scores(criterion)
        self.unscored[:] = [name for name in self.limits.first if name not in found]
        scores = {name: found[name] for name in self.limits.first if name in found}
        if self.job.params["scope"] == "global" and criterion in ("l1", "l2"):
            least = np.finfo(np.float64).tiny
            scores = {name: values / max(float(values.mean()), least) for name, values in scores.items()}
        if not self.job.params["target_macs"]:
            return scores
        macs = {layer["name"]: layer["macs"] for layer in layers_of(module, example(self.loaded.inputs))}
        work = channels.work(macs)
        return {name: values / max(work[name], 1.0) for name, values in scores.items()}

    def _differentiate(self, module: Any) -> None:
        """Leave the loss' gradients in the weights, averaged over training samples."""
        import torch

        params = self.job.params
        training, _ = split(len(self.job.x[0]), params["validation_split"], params["seed"])
        chosen = training[order(len(training), params["seed"])][: params["taylor_samples"]]
        loss = rule(module, self.job, self.loaded.inputs)
        for parameter in module.parameters():
            parameter.grad = torch.zeros_like(parameter)
        with torch.enable_grad():
            for start in range(0, len(chosen), params["batch_size"]):
                at = chosen[start : start + params["batch_size"]]
                tell("weighing channels", done=start, total=len(chosen))
                labels = None if self.job.y is None else torch.from_numpy(self.job.y[at])
                share = len(at) / len(chosen)
                (share * loss(module, tensors(self.job.x, self.loaded.inputs, at), labels)).backward()

    def _limits(self, share: float) -> Limits:
        """The limits of a round that reaches so much of the whole way."""
        ratios = {name: ratio * share for name, ratio in self.limits.ratios.items()}
        return Limits(
            first=self.limits.first,
            ratios=ratios,
            min_channels=self.limits.min_channels,
            round_to=self.limits.round_to,
        )

    def _by_share(self, scores: Scores, amount: float, share: float) -> dict[str, list[int]]:
        if self.job.params["scope"] == "group":
            return by_group(scores, amount, self._limits(share))
        return by_rank(scores, amount, self._limits(share))

    def _for_work(self, module: Any, scores: Scores, share: float) -> dict[str, list[int]]:
        """The smallest share of channels without which the work is little enough, found by halving."""
        wanted = self.macs * (1 - (1 - self.job.params["target_macs"]) * share)
        low, high = 0.0, 1.0
        best = self._by_share(scores, high, share)
        least = self._work_without(module, best)
        if least > wanted:
            raise ConfigurationError(
                f"torch_slim.target_macs is {self.job.params['target_macs']}, and {self.loaded.factory} keeps "
                f"{least / self.macs:.3f} of its multiply-accumulates at least",
                hint="take more of them, or lower min_channels or round_to",
            )
        for number in range(_HALVINGS):
            tell("looking for the share of channels", done=number, total=_HALVINGS)
            middle = (low + high) / 2
            positions = self._by_share(scores, middle, share)
            if self._work_without(module, positions) <= wanted:
                high, best = middle, positions
            else:
                low = middle
        return best

    def _work_without(self, module: Any, positions: Mapping[str, Sequence[int]]) -> int:
        trial = copy.deepcopy(module)
        self._channels(trial).cut(positions)
        return multiply_accumulates(trial, example(self.loaded.inputs))

    def _widths(self, module: Any) -> dict[str, int]:
        layers = dict(module.named_modules())
        return {name: getattr(layers[name], "out_channels", None) or layers[name].out_features for name in self.widths}

    def _asked(self) -> str:
        amounts = ("ratio", "threshold", "target_macs", "layers")
        asked = (f"torch_slim.{name} is {self.job.params[name]}" for name in amounts if self.job.params[name])
        return ", ".join(asked)


def _matching(tied: Tied, patterns: Sequence[str] | Mapping[str, float]) -> list[str]:
    return [pattern for pattern in patterns if any(re.fullmatch(pattern, name) for name in tied.layers)]
