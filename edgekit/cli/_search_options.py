"""The options of `edgekit search`, and the request that they describe."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from edgekit.cli._settings import PATH, SECONDS, Chosen, Finite
from edgekit.core.errors import UsageError
from edgekit.core.search.goals import MAXIMIZED, METRICS, Goal, Limit

if TYPE_CHECKING:
    from edgekit.core.search.settings import SearchSettings
    from edgekit.core.target import Target
    from edgekit.flows.searching.request import SearchRequest

F = TypeVar("F", bound=Callable[..., Any])

MINUTES = 10.0
"""Of a search for which nobody says how long, or how many trials."""

SUFFIX = ".search"
"""Of a study's folder."""

_SHORT = {
    "latency": "latency_ns", "ram": "ram_bytes", "flash": "flash_bytes", "size": "size_bytes", "zip": "zip_bytes",
    "drop": "accuracy_drop",
}  # fmt: skip
"""What people may write for a metric."""


def search_options(function: F) -> F:
    """What is searched, for what, by whom and for how long."""
    for decorate in reversed((*_SPACE, *_COST, *_PLACE, *_RESULT)):
        function = decorate(function)
    return function


_SPACE = (
    click.option(
        "--space",
        help="What may be varied: a TOML file with recipe parameters, or module:function, called with a trial, that "
        "builds the network. Without it the [search] table of edgekit.toml, else what suits model and target.",
    ),
    click.option(
        "--goal",
        "goals",
        multiple=True,
        metavar="METRIC",
        help=f"What is made as good as possible, at least one; may be repeated: {', '.join(METRICS)}. "
        "Default: what suits the target.",
    ),
    click.option(
        "--at-most",
        multiple=True,
        metavar="METRIC=VALUE",
        help="A constraint, not a penalty: ram_bytes=64KiB, latency_ns=20ms, instructions=2e6; may be repeated. Those "
        "of the board and of the budgets hold anyway.",
    ),
    click.option(
        "--at-least", multiple=True, metavar="METRIC=VALUE", help="The same for what is made large: accuracy=0.97."
    ),
    click.option("--epochs", type=click.IntRange(1, 10_000), default=9, help="Most epochs of a trained network."),
    click.option(
        "--warm-start", type=PATH, multiple=True, metavar="STUDY", help="Learn from this study too; may be repeated."
    ),
)
_COST = (
    click.option("--trials", type=click.IntRange(1, 10**6), help="Most trials in all, those before --resume counted."),
    click.option(
        "--budget-minutes",
        type=Finite(0.05, 10**6),
        help=f"Most time of this call; {MINUTES:g} where neither this nor --trials is given.",
    ),
    click.option("--trial-timeout", type=SECONDS, default=1800.0, help="Limit for one trial, in seconds."),
    click.option(
        "--engine", default="optuna", help="Who proposes points: optuna or syne_tune; docs/guide/search.md compares."
    ),
    click.option("--strategy", default="", help="How, e.g. tpe, nsga2, nsga3, random or grid; default the engine's."),
)
_PLACE = (
    click.option(
        "-d",
        "--device",
        "devices",
        multiple=True,
        help="Where trials are measured, a name or a URL; may be repeated. A board without one is emulated.",
    ),
    click.option(
        "--workers",
        default="1",
        metavar="N|ray",
        help="Processes on this computer, one trial each; ray makes them tasks of a Ray cluster.",
    ),
    click.option("--ray", metavar="ADDRESS", help="A Ray cluster's address, or local for one on this computer."),
    click.option(
        "--storage", metavar="URL", help="postgresql://user@host/database for the study; default a file in its folder."
    ),
    click.option("--study", type=PATH, help=f"Folder of the study; default MODEL-TARGET{SUFFIX}."),
    click.option("--resume", is_flag=True, help="Go on with the study that is there."),
)
_RESULT = (
    click.option("--html", type=PATH, help="Write the page there too; search.html in the study's folder is written."),
    click.option("--mlflow", metavar="URI", help="Log each trial to MLflow: a server's URI or a local folder."),
    click.option(
        "--export-katib",
        type=PATH,
        metavar="FILE",
        help="Write the search as a Kubernetes Katib experiment, and search nothing here.",
    ),
    click.option("--katib-image", default="edgekit", help="Image of its pods, with edgekit, model and data."),
    click.option(
        "--point",
        "points",
        multiple=True,
        metavar="NAME=VALUE",
        help="Try this one point and print its figures, as the pods of a Katib experiment do; once for each parameter.",
    ),
)


def search_request(chosen: Chosen, model: Path | None, target: Target, flags: dict[str, Any]) -> SearchRequest:
    """What `edgekit search` is asked for.

    Raises:
        UsageError: options that contradict each other, or a constraint that is none.
    """
    from edgekit.flows.searching.request import SearchRequest

    space = _space(flags["space"], chosen)
    if model is None and space.architecture is not None:
        model = Path(space.architecture)  # no model to learn from: the space builds its own
    compiled = chosen.compile_request(model, target, {**flags, "output": None})
    workers, ray = crew(flags["workers"], flags["ray"])
    budget_minutes = flags["budget_minutes"]
    if budget_minutes is None and flags["trials"] is None:
        budget_minutes = MINUTES
    return SearchRequest(
        compile=compiled,
        folder=flags["study"] or Path(f"{compiled.model.stem}-{target.name}{SUFFIX}"),
        architecture=space.architecture,
        parameters=space.parameters,
        goals=goals_from(flags["goals"]) or space.goals,
        limits=(*space.limits, *limits_from(flags["at_most"], flags["at_least"])),
        engine=flags["engine"],
        strategy=flags["strategy"] or space.strategy,
        trials=flags["trials"],
        budget_s=None if budget_minutes is None else 60 * budget_minutes,
        workers=workers,
        ray=ray,
        storage=flags["storage"],
        devices=devices_of(chosen, target, flags["devices"]),
        resume=flags["resume"],
        epochs=flags["epochs"],
        warm_start=flags["warm_start"],
        trial_timeout_s=flags["trial_timeout"],
    )


def _space(text: str | None, chosen: Chosen) -> SearchSettings:
    from edgekit.core.function_name import is_function_name
    from edgekit.core.search.settings import SearchSettings

    if text is not None and is_function_name(text) and not Path(text).exists():
        return SearchSettings(architecture=text)
    if text is not None and text.endswith(".toml"):
        from edgekit.config.search import load_search

        return load_search(Path(text))
    if text is not None:
        raise UsageError(
            f"--space {text!r} is neither a function nor a TOML file", hint="write it like package.module:function"
        )
    return SearchSettings() if chosen.project is None else chosen.project.search


def devices_of(chosen: Chosen, target: Target, named: Sequence[str]) -> tuple[str, ...]:
    """Where trials are measured: the named devices, or the project's; each is there, and of the target.

    Raises:
        UsageError: one is named twice, or is another kind of machine.
        ConfigurationError: the inventory does not know one.
    """
    from edgekit.device.inventory import Inventory

    names = tuple(named) or ((chosen.settings.device,) if chosen.settings.device else ())
    inventory = Inventory.find(chosen.project_dir)
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"the device {name!r} is named twice", hint="name each device once")
        kind = inventory.get(name).target
        if kind not in (None, target.name):
            raise UsageError(f"{name} is a {kind}, the search is for {target.name}", hint="name devices of one kind")
    return names


def crew(workers: str, ray: str | None) -> tuple[int, str | None]:
    """How many trials run at once, and on which Ray cluster.

    Raises:
        UsageError: `workers` is neither a number above 0 nor "ray".
    """
    if workers == "ray":
        import os

        return os.cpu_count() or 1, ray or "local"
    if not workers.isdecimal() or not 1 <= int(workers) <= 10_000:
        raise UsageError(f"--workers {workers!r} is no number of processes", hint="give 1 or more, or ray")
    return int(workers), ray


def goals_from(texts: Sequence[str]) -> tuple[Goal, ...]:
    """Metrics to make good.

    Raises:
        UsageError: there is no such metric, or it is named twice.
    """
    goals = tuple(Goal(metric=_metric(text, "--goal")) for text in texts)
    if len(set(goals)) < len(goals):
        twice = next(goal.metric for goal in goals if goals.count(goal) > 1)
        raise UsageError(f"--goal names {twice} twice", hint="name each goal once")
    return goals


def limits_from(at_most: Sequence[str], at_least: Sequence[str]) -> tuple[Limit, ...]:
    """Constraints as people write them.

    Raises:
        UsageError: there is no such metric, no such value, or the wrong one of the two options.
    """
    return (*(_limit(text, "--at-most") for text in at_most), *(_limit(text, "--at-least") for text in at_least))


def _limit(text: str, option: str) -> Limit:
    name, separator, value = text.partition("=")
    if not separator or not value:
        raise UsageError(f"{option} {text!r} has no value", hint=f"write it like {option} {_example(option)}")
    metric = _metric(name, option)
    fitting = "--at-least" if metric in MAXIMIZED else "--at-most"
    if option != fitting:
        better = "more" if metric in MAXIMIZED else "less"
        raise UsageError(f"{option} {text}: of {metric} {better} is better", hint=f"{fitting} {text}")
    return Limit(metric=metric, most=_value(metric, value, f"{option} {text}"), source=option)


def _metric(text: str, option: str) -> str:
    from edgekit.core.suggest import did_you_mean

    name = _SHORT.get(text, text)
    if name not in METRICS:
        raise UsageError(
            f"{option}: there is no metric {text!r}",
            hint=did_you_mean(text, [*METRICS, *_SHORT]) or f"one of {', '.join(METRICS)}",
        )
    return name


def _value(metric: str, text: str, where: str) -> float:
    from edgekit.core.units import parse_bytes, parse_duration_ns

    if metric.endswith("_bytes"):
        return parse_bytes(text)
    if metric.endswith("_ns"):
        return parse_duration_ns(text)
    try:
        number = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError as cause:
        raise UsageError(f"{where}: {text!r} is not a number", hint="write it like 0.97, 97% or 2e6") from cause
    if not math.isfinite(number):
        raise UsageError(f"{where}: {text!r} is not a finite number", hint="write it like 0.97, 97% or 2e6")
    return number


def _example(option: str) -> str:
    return "accuracy=0.97" if option == "--at-least" else "ram_bytes=64KiB"
