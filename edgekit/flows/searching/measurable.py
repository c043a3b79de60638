"""What a search can know of its points: goals and limits that nothing measures are told before the first trial."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from edgekit.core.errors import ConfigurationError

if TYPE_CHECKING:
    from edgekit.core.search.goals import Goal, Limit
    from edgekit.flows.searching.request import SearchRequest

_EVERYWHERE = frozenset({"accuracy", "accuracy_drop", "size_bytes", "zip_bytes", "macs"})
_OF_BOARDS = frozenset({"flash_bytes", "ram_bytes", "instructions"})
_OF_DEVICES = frozenset({"latency_ns", "ram_bytes", "instructions"})


def measurable(request: SearchRequest) -> frozenset[str]:
    """Metrics that a trial of this search can have."""
    if request.compile.target.board is not None:
        return _EVERYWHERE | _OF_BOARDS
    return _EVERYWHERE | _OF_DEVICES if request.devices else _EVERYWHERE


def quality_goal(request: SearchRequest) -> str:
    """The goal that stands for right answers: the drop where the metric is an error, or may be one."""
    return "accuracy" if request.compile.metric.lower_is_better is False else "accuracy_drop"


def check_metrics(request: SearchRequest, goals: Sequence[Goal], limits: Sequence[Limit]) -> tuple[str, ...]:
    """See that goals and limits can be held against something.

    Args:
        request: of the search; its own goals and limits are what somebody asked for.
        goals: of the study.
        limits: of the study, those of target and budgets among them.

    Returns:
        Warnings, one sentence for each limit of the target or a budget that nothing measures.

    Raises:
        ConfigurationError: a goal, or a limit that was asked for, is never known; or the accuracy is to be large where
            the metric is an error.
    """
    known = measurable(request)
    for metric in [*(goal.metric for goal in goals), *(limit.metric for limit in request.limits)]:
        if metric not in known:
            raise ConfigurationError(
                f"nothing measures {metric} in a search for {request.compile.target.name}"
                f"{'' if request.compile.target.board or request.devices else ' without a device'}",
                hint=_hint(metric, request, known),
            )
        if metric == "accuracy" and request.compile.metric.lower_is_better:
            raise ConfigurationError(
                f"the metric {request.compile.metric.name} is an error, and accuracy is made large",
                hint="take accuracy_drop, which is made small",
            )
    return tuple(
        f"{limit.source} allows {limit.metric} up to {limit.most:g}, and nothing measures it here"
        for limit in limits
        if limit.metric not in known
    )


def _hint(metric: str, request: SearchRequest, known: frozenset[str]) -> str:
    if metric in _OF_DEVICES and request.compile.target.board is None:
        return "name a device with --device"
    return f"known here: {', '.join(sorted(known))}"
