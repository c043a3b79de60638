"""What a net is on its target: compiled with a recipe, weighed, judged and measured, as any other model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from edgekit.core.factory import Factory
from edgekit.flows.prepare import Preparation
from edgekit.flows.searching.architecture import Net
from edgekit.flows.searching.device_stage import Point, device_stage, hopeless
from edgekit.flows.searching.recipe_candidate import recipe_for
from edgekit.flows.searching.stages import Compiled, accuracy_stage, count_stage, static_stage
from edgekit.flows.trials import settled

if TYPE_CHECKING:
    from edgekit.core.search.goals import Goal, Limit
    from edgekit.core.search.space import Value
    from edgekit.core.search.trial import Outcome
    from edgekit.engines._base import Study
    from edgekit.flows.searching.findings import Findings
    from edgekit.flows.searching.request import SearchRequest
    from edgekit.flows.searching.teacher import Teacher
    from edgekit.flows.searching.tools import Tools


@dataclass(frozen=True, kw_only=True)
class NetStages:
    """The stages of a net beside its training.

    Attributes:
        request: of the search; where it has parameters, they vary the recipe beside the net.
        tools: of the worker.
        goals, limits: of the study.
        teacher: the given model; None without one.
    """

    request: SearchRequest
    tools: Tools
    goals: tuple[Goal, ...]
    limits: tuple[Limit, ...]
    teacher: Teacher | None

    def untrained(self, net: Net, params: Mapping[str, Value], found: Findings, stopped: Callable[[], bool]) -> None:
        """Compile a net as it is, for its bytes, its memory and, of a board, its exact instructions.

        Raises:
            UnsupportedError: net, recipe and target do not go together.
        """
        model = net.path if net.factory is None else Factory(function=net.factory)
        tried = self.compiled(model, params, found)
        if found.infeasible() is None:
            count_stage(tried, found, self.tools.workspace, stopped)

    def compiled(self, model: Path | Factory, params: Mapping[str, Value], found: Findings) -> Compiled:
        """A net that went through the recipe, and what is known of it without running it.

        Raises:
            UnsupportedError: net, recipe and target do not go together.
        """
        varied = {name: value for name, value in params.items() if name in self._names}
        recipe = None if varied else self.request.compile.recipe
        asked = replace(self.request.compile, model=model, recipe=recipe, output=None, strict=False)
        made = Preparation(asked, self.tools.workspace)
        return static_stage(made, settled(recipe_for(varied, self.request, made) if varied else made.recipe), found)

    def accuracy(self, tried: Compiled, found: Findings) -> None:
        """Judge the net on this computer; what it lost is that against the teacher, else against its float form.

        Raises:
            EdgekitError: it cannot be run.
        """
        accuracy_stage(tried, found, reference=tried.made.reference if self.teacher is None else self.teacher.runnable)

    def device(
        self, tried: Compiled, found: Findings, point: Point, study: Study, stopped: Callable[[], bool]
    ) -> Outcome | None:
        """Measure the net, unless it cannot reach the front.

        Returns:
            The end of a trial that cannot; None where it was measured.

        Raises:
            EdgekitError: of the device, see `device_stage`.
        """
        if (outcome := hopeless(found, point, study.trials(), self.goals)) is not None:
            return outcome
        count_stage(tried, found, self.tools.workspace, stopped)
        if self.request.devices and self.request.compile.target.board is None:
            device_stage(tried, found, self.tools, stopped)
        return None

    @property
    def _names(self) -> frozenset[str]:
        return frozenset(parameter.name for parameter in self.request.parameters)
