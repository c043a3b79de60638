"""What is searched where nobody says: a space of recipes that the target takes, its goals, its limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from edgekit.core.errors import EdgekitError, InputError, UnsupportedError
from edgekit.core.events import OnEvent, ignore
from edgekit.core.recipe import Recipe
from edgekit.core.registry import PASSES
from edgekit.core.search.goals import Goal, Limit
from edgekit.core.search.space import Choice, Parameter, Value, When, size
from edgekit.flows.chain import check_chain, chosen_recipe, float_pass
from edgekit.flows.inventory import inventory
from edgekit.flows.prepare import Preparation
from edgekit.flows.searching.measurable import quality_goal
from edgekit.flows.searching.recipe_space import LAYER, NONE, OFF, QUANTIZE, recipe_of, short_layer
from edgekit.flows.sensitivity import layers
from edgekit.flows.trials import KEEP_FLOAT, run_steps, settled, takes
from edgekit.flows.workspace import workspace

if TYPE_CHECKING:
    from edgekit.flows.searching.request import SearchRequest
    from edgekit.flows.workspace import Workspace

LARGEST = 400
"""Points of a default space: as many as can be measured one by one, so that a search can be checked against all."""

_LAYERS = 3
"""So many layers, those with the most weights, get a precision of their own."""

_TRAINED: tuple[tuple[str, str, tuple[Value, ...]], ...] = (
    ("slim", "ratio", (OFF, 0.25, 0.5)),
    ("prune", "sparsity", (OFF, 0.5, 0.8)),
    ("cluster", "clusters", (OFF, 16)),
    ("torch_slim", "ratio", (OFF, 0.25, 0.5)),
    ("torch_prune", "sparsity", (OFF, 0.5, 0.8)),
)
"""Steps that train, in the order that keeps what the ones before did."""

_VARIED: Mapping[str, tuple[Value, ...]] = {
    "calibration": ("min_max", "percentile", "mse", "kl"),
    "bits": (8, 4),
}
"""Parameters of quantizing passes that are worth a trial, with the values to try."""


def default_space(
    request: SearchRequest, on_event: OnEvent = ignore
) -> tuple[tuple[Parameter, ...], tuple[dict[str, Value], ...]]:
    """The space of recipes for a model and a target, and the point to begin with: the target's own recipe.

    Each number format is compiled once, so that none is offered which the target's compiler refuses; the conversions
    are in the cache then. With `--recipe` the choices of its steps are the space.

    Raises:
        InputError: the recipe has nothing to choose.
        EdgekitError: model, data and target do not go together at all.
    """
    if request.compile.recipe is not None:
        return _of_recipe(request.compile.recipe)
    with workspace(on_event) as tools:
        return _Defaults(request, tools).space()


def goals_for(request: SearchRequest) -> tuple[Goal, ...]:
    """Accuracy (its loss, where the metric is an error), what one inference costs, and bytes, as far as known here."""
    target = request.compile.target
    names = [quality_goal(request)]
    if target.board is not None:
        names += ["instructions", "flash_bytes"]
    elif request.devices:
        emulated = all(inventory().get(name).is_emulated for name in request.devices)
        names += ["instructions" if emulated else "latency_ns", "size_bytes"]
    else:
        names += ["macs", "zip_bytes"]
    return tuple(Goal(metric=name) for name in names)


def limits_for(request: SearchRequest) -> tuple[Limit, ...]:
    """What target, budgets and `--max-drop` do not allow to be exceeded."""
    target, found = request.compile.target, []
    board, budgets = target.board, target.budgets
    if board is not None:
        found += [
            Limit(metric="flash_bytes", most=float(board.flash.size_bytes), source=board.title),
            Limit(metric="ram_bytes", most=float(board.ram.size_bytes), source=board.title),
        ]
    if budgets.flash_bytes is not None:
        metric = "flash_bytes" if board is not None else "size_bytes"
        found.append(Limit(metric=metric, most=float(budgets.flash_bytes), source="the budget"))
    if budgets.ram_bytes is not None:
        found.append(Limit(metric="ram_bytes", most=float(budgets.ram_bytes), source="the budget"))
    drop = request.compile.max_drop
    if drop is not None:
        found.append(Limit(metric="accuracy_drop", most=drop, source="--max-drop"))
    elif budgets.accuracy_drop is not None:
        found.append(Limit(metric="accuracy_drop", most=budgets.accuracy_drop, source="the budget"))
    given = {limit.metric for limit in request.limits}
    tightest: dict[str, Limit] = {}
    for limit in found:
        if limit.metric not in given and (limit.metric not in tightest or limit.most < tightest[limit.metric].most):
            tightest[limit.metric] = limit
    return tuple(tightest.values())


def _of_recipe(recipe: Recipe) -> tuple[tuple[Parameter, ...], tuple[dict[str, Value], ...]]:
    found = tuple(
        Choice(name=f"{step.pass_name}.{name}", values=(*values, OFF))
        for step in recipe.steps
        for name, values in step.choices.items()
    )
    if not found:
        raise InputError(
            f"recipe {recipe.name!r} has no choices to search",
            hint="give its steps `choices`, name parameters under [search] in edgekit.toml, or leave out --recipe",
        )
    return found, ({parameter.name: parameter.values[0] for parameter in found},)


class _Defaults:
    def __init__(self, request: SearchRequest, tools: Workspace) -> None:
        self._request = request
        compiled = replace(request.compile, recipe=None, max_drop=None, output=None, strict=False)
        self._made = Preparation(compiled, tools)

    def space(self) -> tuple[tuple[Parameter, ...], tuple[dict[str, Value], ...]]:
        """See `default_space`."""
        made = self._made
        formats = [name for name in self._formats() if self._compiles({QUANTIZE: name})]
        if not formats:
            raise UnsupportedError(
                f"no number format of {made.source.format} models runs on {made.request.target.name}",
                hint="edgekit inspect MODEL says why; a --recipe of your own can be searched too",
            )
        found: list[Parameter] = [*self._trained(), Choice(name=QUANTIZE, values=tuple(formats))]
        found += self._details(formats)
        found += self._back_end()
        for layer in self._layers(formats):
            if (size((*found, layer)) or LARGEST + 1) > LARGEST:
                break
            found.append(layer)
        while (size(found) or LARGEST + 1) > LARGEST and len(found) > 1:
            longest = max(
                (one for one in found if isinstance(one, Choice) and one.name != QUANTIZE),
                key=lambda one: len(one.values),
            )
            shorter = replace(longest, values=longest.values[:-1])
            found[found.index(longest)] = shorter
            found = [one for one in found if not isinstance(one, Choice) or len(one.values) > 1 or one.name == QUANTIZE]
        return tuple(found), (self._first(found),)

    def _formats(self) -> list[str]:
        """Passes that make a number format of this model, the target's own first."""
        made = self._made
        own = [step.pass_name for step in made.recipe.steps if not PASSES.load(step.pass_name).is_back_end]
        keras = ("int8", "int16x8", "float16", "dynamic", "weight_only")
        torch = ("qnnpack_static", "qnnpack_dynamic", "executorch_xnnpack", "executorch_xnnpack_dynamic", *keras)
        names = torch if made.source.format.startswith("torch") else keras
        reference = float_pass(made.source.format)
        found = [*own[-1:], *names, *([] if reference is None else [reference.name])]
        has_data = made.context.representative is not None
        return [
            name
            for name in dict.fromkeys(found)
            if not PASSES.load(name).needs_training and (has_data or not PASSES.load(name).needs_representative)
        ]

    def _compiles(self, point: Mapping[str, Value]) -> bool:
        """Whether the target takes what a point means; compiling it is the only proof."""
        made = self._made
        try:
            recipe = recipe_of(point, [Choice(name=name, values=(value,)) for name, value in point.items()], None)
            recipe = chosen_recipe(recipe, made.request.target, made.source.format, compressed=False)
            check_chain(recipe, made.request.target, made.source.format)
            run_steps(made.source, settled(recipe), made.context)
        except UnsupportedError as refusal:
            return "need_bytes" in refusal.details  # too large as it is, and perhaps not with other steps
        except EdgekitError:
            return False
        return True

    def _trained(self) -> list[Parameter]:
        if self._made.training is None:
            return []
        suits = self._made.source.format
        return [
            Choice(name=f"{name}.{param}", values=values)
            for name, param, values in _TRAINED
            if suits in PASSES.load(name).accepts and PASSES.load(name).unsupported(self._made.request.target) is None
        ]

    def _details(self, formats: Sequence[str]) -> list[Parameter]:
        """Parameters of the passes that make number formats, each beside its own alone."""
        found: list[Parameter] = []
        for name in formats:
            for param, values in _VARIED.items():
                if not takes(name, param):
                    continue
                point: dict[str, Value] = {QUANTIZE: name}
                running = tuple(value for value in values if self._compiles({**point, f"{name}.{param}": value}))
                if len(running) > 1:
                    when = (When(name=QUANTIZE, values=(name,)),)
                    found.append(Choice(name=f"{name}.{param}", values=running, when=when))
        return found

    def _back_end(self) -> list[Parameter]:
        steps = self._made.recipe.steps
        if not steps or not PASSES.load(steps[-1].pass_name).is_back_end or not takes(steps[-1].pass_name, "optimize"):
            return []
        if self._request.compile.optimize is not None:
            return []
        return [Choice(name=f"{steps[-1].pass_name}.optimize", values=("speed", "ram", "flash"))]

    def _layers(self, formats: Sequence[str]) -> list[Parameter]:
        """A precision for each of the layers with the most weights, where the target runs more than one of them."""
        quantizing = next((name for name in formats if takes(name, KEEP_FLOAT)), None)
        if quantizing is None or self._made.source.format.startswith("torch"):
            return []
        heavy = sorted(layers(self._made.source, self._made.meter()), key=lambda layer: -layer.weights)
        found: list[Parameter] = []
        untouched = [When(name=step.name, values=(OFF,)) for step in self._trained()]  # they make other layers
        for layer in [one for one in heavy if one.weights][:_LAYERS]:
            name = f"{LAYER}{short_layer(layer.name)}"
            runs = ["int8"] + [
                form for form in ("int16", "float32") if self._compiles({QUANTIZE: quantizing, name: form})
            ]
            if len(runs) > 1:
                when = (*untouched, When(name=QUANTIZE, values=(quantizing,)))
                found.append(Choice(name=name, values=tuple(runs), when=when))
        return found

    def _first(self, found: Sequence[Parameter]) -> dict[str, Value]:
        """The recipe as it is: the first value of everything that counts."""
        point: dict[str, Value] = {}
        for parameter in found:
            if isinstance(parameter, Choice) and all(point.get(one.name) in one.values for one in parameter.when):
                point[parameter.name] = parameter.values[0]
        assert point.get(QUANTIZE) != NONE
        return point
