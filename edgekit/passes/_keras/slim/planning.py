"""From the pass's parameters and the scores to a mask: what one round removes, or why nothing can be removed."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.core.errors import ConfigurationError, UnsupportedError
from edgekit.core.suggest import did_you_mean
from edgekit.passes._keras.slim import selection
from edgekit.passes._keras.slim.graph import ChannelGraph, Group
from edgekit.passes._keras.slim.selection import Counts, Limits, Mask, Ranked


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What was asked for, and what the model was before the first round.

    Attributes:
        name: of the model, for messages.
        params: of the pass.
        sizes: layers of a group -> its channels.
        macs: multiply-accumulates, None where a shape is open.
    """

    name: str
    params: dict[str, Any]
    sizes: dict[tuple[str, ...], int]
    macs: int | None

    @classmethod
    def of(cls, name: str, params: dict[str, Any], graph: ChannelGraph) -> Plan:
        """The plan for a model.

        Raises:
            UnsupportedError: no channel of it can be removed, or its work is unknown.
            ConfigurationError: the parameters exclude all layers, or name one that is not there.
        """
        if not graph.groups:
            raise UnsupportedError(
                f"no channel of {name} can be removed: all belong to its inputs, its outputs"
                + (f", or to layers that slim does not know: {', '.join(graph.unknown)}" if graph.unknown else ""),
                hint="leave out the step slim",
            )
        macs = graph.macs(graph.all_kept())
        if params["target_macs"] and not macs:
            raise UnsupportedError(
                f"the multiply-accumulates of {name} are not known, as an input shape is open",
                hint="give slim a ratio instead of target_macs",
            )
        _check_names(graph, "layers", params["layers"])
        _check_names(graph, "skip", params["skip"])
        sizes = {group.layers: len(group.channels) for group in graph.groups}
        plan = cls(name=name, params=params, sizes=sizes, macs=macs)
        plan._check_limits([group for group in graph.groups if plan._takes(group)])
        return plan

    def unscored(self, graph: ChannelGraph, scores: NDArray[np.float64]) -> list[str]:
        """Layers that the criterion cannot judge."""
        groups = [group for group in graph.groups if self._takes(group) and np.isnan(scores[group.channels]).any()]
        return list(dict.fromkeys(name for group in groups for name in group.layers))

    def keep(self, graph: ChannelGraph, scores: NDArray[np.float64], *, share: float) -> Mask:
        """The channels that are left after a round.

        Args:
            graph: of the model as it is now.
            scores: of its channels, NaN for those that cannot be judged, which stay.
            share: how much of the whole is due after this round, above 0, 1 in the last.

        Raises:
            UnsupportedError: the criterion judges none of the channels.
            ConfigurationError: `target_macs` is out of reach.
        """
        groups = [group for group in graph.groups if self._takes(group) and not np.isnan(scores[group.channels]).any()]
        if not groups:
            raise UnsupportedError(
                f"criterion {self.params['criterion']!r} judges no channel of {self.name}: it has no scaled "
                "BatchNormalization behind a layer that may shrink",
                hint='take criterion = "l1"',
            )
        if self._overall and self.params["criterion"] in ("l1", "l2"):
            scores = _by_mean(scores, groups)
        ranked = [
            selection.ranked(
                group,
                scores,
                original=self.sizes.get(group.layers, len(group.channels)),
                ratio=self._ratio(group),
                price=self._price(graph, group),
            )
            for group in groups
        ]
        counts = selection.own_ratios(ranked, share, self._limits)
        return selection.mask(graph.count, ranked, counts | self._counts(graph, ranked, counts, share))

    @property
    def _limits(self) -> Limits:
        return Limits(min_channels=self.params["min_channels"], round_to=self.params["round_to"])

    @property
    def _overall(self) -> bool:
        return bool(self.params["scope"] == "global")

    def _counts(self, graph: ChannelGraph, ranked: Sequence[Ranked], own: Counts, share: float) -> Counts:
        """Counts of the groups without a ratio of their own."""
        ratio, threshold, target = (self.params[name] for name in ("ratio", "threshold", "target_macs"))
        if threshold:
            return selection.by_threshold(ranked, threshold * share, self._limits, overall=self._overall)
        if ratio and not self._overall:
            return selection.by_ratio(ranked, ratio * share, self._limits)
        if ratio:
            channels = sum(each.original for each in ranked if each.ratio is None)
            return self._within(ranked, (1 - ratio * share) * channels, lambda counts: sum(counts.values()))
        if not target:
            return {}

        def macs(counts: Counts) -> int:
            return graph.macs(selection.mask(graph.count, ranked, own | counts)) or 0

        whole = self.macs or 1
        counts = self._within(ranked, (1 - (1 - target) * share) * whole, macs)
        if share == 1 and macs(counts) > target * whole:
            raise ConfigurationError(
                f"slim.target_macs is {target:g}, and {self.name} cannot go below {macs(counts) / whole:.3f}",
                hint="take a larger target_macs, or lower min_channels or round_to, or skip fewer layers",
            )
        return counts

    def _within(self, ranked: Sequence[Ranked], budget: float, cost: Callable[[Counts], int]) -> Counts:
        """The fewest removals that keep a budget, all of them where none is enough."""

        def fits(counts: Counts) -> bool:
            return cost(counts) <= budget

        steps = selection.removals(ranked, self._limits, overall=self._overall)
        enough = selection.fewest_steps(len(steps), lambda count: fits(selection.first_removals(ranked, steps, count)))
        counts = selection.first_removals(ranked, steps, enough)
        return selection.given_back(ranked, steps[:enough], fits) if fits(counts) else counts

    def _price(self, graph: ChannelGraph, group: Group) -> float:
        """What a channel of the group adds to what `target_macs` limits; 1 where channels are counted."""
        if not self.params["target_macs"]:
            return 1.0
        keep = graph.all_kept()
        whole = graph.macs(keep) or 0
        keep[group.channels[0]] = False
        return float(max(1, whole - (graph.macs(keep) or 0)))

    def _takes(self, group: Group) -> bool:
        skipped = any(re.fullmatch(pattern, name) for pattern in self.params["skip"] for name in group.layers)
        return not skipped and self._ratio(group) != 0

    def _ratio(self, group: Group) -> float | None:
        """The lowest ratio that `layers` names for one of the group's layers."""
        named = self.params["layers"].items()
        found = [ratio for pattern, ratio in named for name in group.layers if re.fullmatch(pattern, name)]
        return min(found, default=None)

    def _check_limits(self, groups: Sequence[Group]) -> None:
        params, limits = self.params, self._limits
        if not groups:
            raise ConfigurationError(
                f"slim.skip and slim.layers leave no layer of {self.name} to shrink", hint="name fewer layers"
            )
        sizes = [len(group.channels) for group in groups]
        if all(len(limits.levels(size)) == 1 for size in sizes):
            raise ConfigurationError(
                f"slim.min_channels is {params['min_channels']} and slim.round_to {params['round_to']}, and no layer "
                f"of {self.name} has more than {max(sizes)} channels",
                hint="lower them",
            )
        asked = [self._ratio(group) or params["ratio"] for group in groups]
        if not self._overall and all(
            ratio and round(size * (1 - ratio)) < params["min_channels"]
            for size, ratio in zip(sizes, asked, strict=True)
        ):
            raise ConfigurationError(
                f"slim.ratio is {max(asked):g}, which leaves every layer of {self.name} fewer than "
                f"{params['min_channels']} channels",
                hint="take a lower ratio, or lower min_channels",
            )


def _by_mean(scores: NDArray[np.float64], groups: Sequence[Group]) -> NDArray[np.float64]:
    scaled = scores.copy()
    for group in groups:
        mean = float(scores[group.channels].mean())
        scaled[group.channels] /= mean or 1.0
    return scaled


def _check_names(graph: ChannelGraph, parameter: str, patterns: Sequence[str]) -> None:
    names = [name for name in graph.roles if graph.width(name, graph.all_kept()) is not None]
    for pattern in patterns:
        if not any(re.fullmatch(pattern, name) for name in names):
            raise ConfigurationError(
                f"slim.{parameter}: {pattern!r} matches no layer with channels",
                hint=did_you_mean(pattern, names) or f"there are {', '.join(names[:6])}",
            )
