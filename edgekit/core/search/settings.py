"""What a project says of its searches."""

from __future__ import annotations

from dataclasses import dataclass

from edgekit.core.search.goals import Goal, Limit
from edgekit.core.search.space import Parameter


@dataclass(frozen=True, kw_only=True)
class SearchSettings:
    """A space and what is looked for in it.

    Attributes:
        architecture: "module:function" that builds nets; None for a space of recipes.
        parameters: declared ones; empty where there is an architecture, or for the default space.
        goals: empty takes the target's.
        limits: beyond those of target and budgets.
        strategy: "" takes the engine's best.
    """

    architecture: str | None = None
    parameters: tuple[Parameter, ...] = ()
    goals: tuple[Goal, ...] = ()
    limits: tuple[Limit, ...] = ()
    strategy: str = ""
