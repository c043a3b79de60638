"""How `edgekit deploy` takes a point of a finished search: its bundle, its target, and the search's accuracy budget."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from edgekit.cli._output import shown
from edgekit.cli._settings import PATH
from edgekit.core.errors import UsageError

if TYPE_CHECKING:
    from edgekit.core.events import OnEvent
    from edgekit.core.target import Target
    from edgekit.flows.deploy import Proof
    from edgekit.flows.judging import Judged
    from edgekit.flows.searching.picked import Picked

F = TypeVar("F", bound=Callable[..., Any])


def from_search_options(function: F) -> F:
    """--from-search and --pick."""
    for decorate in (
        click.option(
            "--from-search", type=PATH, metavar="STUDY", help="Deploy a point of the search in this folder, not MODEL."
        ),
        click.option("--pick", help="Which point: smallest, fastest, balanced (the default), or a trial's number."),
    ):
        function = decorate(function)
    return function


def picked_from(model: Path | None, flags: dict[str, Any]) -> Picked | None:
    """The point that the options name; None without them.

    Raises:
        UsageError: they do not go together.
        InputError: there is no such point.
    """
    study, wanted = flags.pop("from_search"), flags.pop("pick")
    if study is None:
        if wanted is not None:
            raise UsageError("--pick picks a point of a search", hint="name the search with --from-search STUDY")
        return None
    if model is not None:
        raise UsageError(
            f"--from-search deploys a point of {study}, and {model} is named too", hint="leave out one of them"
        )
    from edgekit.flows.searching.picked import pick_point

    return pick_point(study, wanted or "balanced")


def held_to_budget(
    picked: Picked | None, target: Target, proof: Proof, on_event: OnEvent
) -> tuple[Target, Proof, Judged | None]:
    """What a deployed point is judged by.

    Returns:
        Target and proof with the search's accuracy budget, and the float model's answers on the samples; as they
        were given, and None, without a point, a budget or samples, or where the float model is gone.
    """
    if picked is None or picked.max_drop is None or proof.evaluation is None:
        return target, proof, None
    held = replace(target, budgets=replace(target.budgets, accuracy_drop=picked.max_drop))
    model = Path(picked.model)
    if not model.exists():
        return held, replace(proof, max_drop=picked.max_drop), None
    from edgekit.flows.evaluate import judged_here
    from edgekit.flows.workspace import workspace

    with workspace(on_event) as tools:
        reference = judged_here(model, target, proof.evaluation, proof.metric, tools)
    return held, replace(proof, max_drop=picked.max_drop), reference


def tell(picked: Picked | None) -> None:
    """Say which point it was."""
    if picked is not None:
        click.echo(shown(f"picked  trial {picked.trial} of {picked.study}"))
