"""edgekit search: the best models for a device within a budget, measured on the device and ready to deploy."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgekit.cli._options import model_argument, weights_option, with_output
from edgekit.cli._output import Output, shown
from edgekit.cli._search_options import search_options, search_request
from edgekit.cli._settings import choose, data_options, metric_option, project_options, recipe_options, target_options
from edgekit.core.errors import EdgekitError, InputError

if TYPE_CHECKING:
    from edgekit.cli._settings import Chosen
    from edgekit.core.events import OnEvent
    from edgekit.flows.searching.bundles import Bundled
    from edgekit.flows.searching.request import SearchRequest
    from edgekit.flows.searching.run import SearchRun

_PASSWORD = re.compile(r"//([^/:@\s]*):[^/@\s]*@")
_CLUSTERS = ("--export-katib", "--katib-image", "--trials", "--budget-minutes", "--study", "--workers", "--storage")
_CLUSTERS_FLAGS = ("--resume", "--json")
"""Options that say how the search is carried out here: Katib's pods try single points."""

_DROP_IS_A_LIMIT = (
    "A constraint like --at-most: a point that loses more, by its upper bound at --confidence, is never in the front."
)

_INTERRUPTED = 130
_NOTHING_FOUND = 1

_REPEATED = (
    "eval_data", "metric", "limit", "skip_bad", "scale", "offset", "mean", "std", "resize", "layout", "color", "dtype",
)  # fmt: skip
"""Options that a deployment of a point takes over, so that it is judged on the same samples."""


@click.command()
@model_argument
@weights_option
@target_options
@search_options
@partial(recipe_options, drop=_DROP_IS_A_LIMIT)
@data_options
@metric_option
@project_options
@with_output
def command(
    model: Path | None,
    target: str | None,
    recipe: str | None,
    config: Path | None,
    console: Output,
    **flags: Any,
) -> int:
    """Search the models that nothing beats in accuracy, speed and size on a target.

    Varies the recipe of MODEL, or with --space module:function the network itself; with both, MODEL teaches. Each
    trial goes through the cheapest checks first; only what can still matter is measured on the device. Ctrl-C ends a
    search with what was found, --resume goes on. Exit code 1: nothing within the limits was found.
    """
    from edgekit.flows.record import keep_run

    chosen = choose(config, target=target, recipe=recipe)
    request = search_request(chosen, model, chosen.target(), flags)
    if flags["export_katib"] is not None:
        return _export(request, flags, console)
    if flags["points"]:
        return _one_point(request, flags, console)
    _check_places(request, flags)
    with keep_run() as run, console.progress() as on_event:
        run.command = _command()
        document = run.keep(_search(request, chosen, flags, on_event))

    def draw() -> None:
        from edgekit.cli import _render_search

        _render_search.search(document)
        if not document["interrupted"]:
            _render_search.picks(document)

    console.show(document, draw)
    return _exit_code(document, request, console)


def _check_places(request: SearchRequest, flags: dict[str, Any]) -> None:
    """What is written at the end is tried before hours are spent."""
    if flags["html"] is not None and flags["html"].is_dir():
        raise InputError(f"{flags['html']} is a folder", hint="give --html the name of a file")
    if flags["mlflow"] is not None:
        from edgekit.flows.searching.tracking import check_place

        check_place(flags["mlflow"], request.folder.name)


def _search(request: SearchRequest, chosen: Chosen, flags: dict[str, Any], on_event: OnEvent) -> dict[str, Any]:
    """Search, and leave the result in the study's folder."""
    from edgekit.flows.searching.bundles import write_bundles
    from edgekit.flows.searching.coordinator import End
    from edgekit.flows.searching.document import search_document, write_pages
    from edgekit.flows.searching.result import front_of
    from edgekit.flows.searching.run import run_search

    words = _command()
    found = run_search(request, on_event, command=words)
    front = front_of(found.trials, found.goals).trials
    bundles: dict[int, Bundled] = {}
    try:
        if not found.interrupted:
            bundles.update(write_bundles(request, front, on_event))
    except KeyboardInterrupt:  # the result so far is one all the same
        found = replace(found, end=End.INTERRUPTED)
    document = search_document(request, found, bundles, command=words, deploy_with=_deploy_with(chosen, request, flags))
    if flags["mlflow"] is not None:
        document["warnings"] += _log(flags["mlflow"], request, found, [trial.number for trial in front])
    if missing := write_pages(request.folder, document, flags["html"]):
        document["warnings"].append(f"no page: {missing}")
    return document


def _command() -> list[str]:
    """The command as it may be kept: without the passwords of its URLs."""
    from edgekit.flows.searching.study_folder import shown_command

    words = shown_command(["edgekit", *sys.argv[1:]])
    return [_PASSWORD.sub(r"//\1@", word) for word in words]


def _log(place: str, request: SearchRequest, found: SearchRun, front: list[int]) -> list[str]:
    """Log to MLflow; what goes wrong there takes nothing from the result."""
    from edgekit.flows.searching.tracking import log_trials

    try:
        log_trials(place, request.folder.name, request.compile.target.name, found.trials, front)
    except EdgekitError as error:
        return [error.message]
    return []


def _deploy_with(chosen: Chosen, request: SearchRequest, flags: dict[str, Any]) -> list[str]:
    """Options that the command of a deployment repeats."""
    words = []
    if chosen.settings.target not in (None, request.compile.target.name):  # a TOML file of the user's own
        words += ["--target", str(chosen.settings.target)]
    if len(request.devices) == 1:
        words += ["--device", request.devices[0]]
    for name in _REPEATED:
        if flags[name] not in (None, 0):
            words += [f"--{name.replace('_', '-')}", str(flags[name])]
    return words


def _export(request: SearchRequest, flags: dict[str, Any], console: Output) -> int:
    from edgekit.flows.searching.katib import export_katib

    path = flags["export_katib"]
    document = export_katib(request, path, image=flags["katib_image"], command=_pod_command())

    def draw() -> None:
        click.echo(f"wrote {path}; kubectl apply -f {path} starts it")

    console.show(document, draw)
    return 0


def _pod_command() -> list[str]:
    """This command without what is a matter of the cluster."""
    words, kept = _command(), []
    skip = False
    for word in words:
        name, has_value, _ = word.partition("=")
        if skip or name in _CLUSTERS or name in _CLUSTERS_FLAGS:
            skip = not skip and name in _CLUSTERS and not has_value
            continue
        kept.append(word)
    return kept


def _one_point(request: SearchRequest, flags: dict[str, Any], console: Output) -> int:
    """Try a single point; its figures are lines that Katib collects."""
    from edgekit.core.search.trial import State
    from edgekit.flows.searching.katib import try_point

    with console.progress() as on_event:
        trial = try_point(request, flags["points"], on_event)
    outcome = trial.outcome
    values = {} if outcome is None else {name: outcome.values[name] for name in sorted(outcome.values)}

    def draw() -> None:
        for name, value in values.items():
            click.echo(f"{name}={value:.10g}")

    reason = "" if outcome is None else outcome.reason
    console.show({"schema": "edgekit.point/1", "state": str(trial.state), "values": values, "reason": reason}, draw)
    if trial.state is State.COMPLETE:
        return 0
    click.echo(shown(f"the point is {trial.state}: {reason}"), err=True)
    return _NOTHING_FOUND


def _exit_code(document: dict[str, Any], request: SearchRequest, console: Output) -> int:
    if document["interrupted"]:
        console.note(f"interrupted; the study is in {request.folder}: the same command with --resume goes on")
        return _INTERRUPTED
    if document["front"]:
        return 0
    from edgekit.report import build_page

    verdict = build_page(document).verdict
    click.echo(shown(f"nothing found: {verdict.reason if verdict else 'no trial was begun'}"), err=True)
    return _NOTHING_FOUND
