"""From flags, environment and edgekit.toml to the values that flows take."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from device_agents.linux.protocol import MAX_TIMEOUT_S
from edgekit.cli._values import number, numbers, shape, size
from edgekit.core.errors import ConfigurationError, UsageError

if TYPE_CHECKING:
    from edgekit.config.project import Project, Settings
    from edgekit.core.dataset import Dataset
    from edgekit.core.device_entry import DeviceEntry
    from edgekit.core.factory import Factory
    from edgekit.core.metric import Metric
    from edgekit.core.preprocessing import Preprocessing
    from edgekit.core.recipe import Recipe
    from edgekit.core.target import Target
    from edgekit.flows.request import CompileRequest

F = TypeVar("F", bound=Callable[..., Any])


PATH = click.Path(path_type=Path, readable=False)
"""A path as it was written; whoever opens it says what is wrong with it."""


class Finite(click.FloatRange):
    """A float that is a number: not NaN, not infinite."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """As click does, then refuse what is no number."""
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a finite number.", param, ctx)
        return number


_COMPILING = (
    "calibration_data", "representative_samples", "train_data", "max_drop", "keep_float", "output", "input_shape",
    "weights", "strict", "optimize",
)  # fmt: skip
"""Flags that only matter to a compilation."""

SECONDS = Finite(1, MAX_TIMEOUT_S)
"""A time limit."""


def project_options(function: F) -> F:
    """-c/--config."""
    return click.option("-c", "--config", "config", type=PATH, help="The project's edgekit.toml.")(function)


def target_options(function: F) -> F:
    """--target and --recipe."""
    for decorate in (
        click.option("-t", "--target", help="Kind of machine: a name from `edgekit targets`, or a TOML file."),
        click.option("--recipe", help="What to do to the model: a name from `edgekit recipes`, or a TOML file."),
    ):
        function = decorate(function)
    return function


def device_option(function: F) -> F:
    """--device."""
    return click.option("-d", "--device", help="Name from `edgekit devices list`, or a URL such as ssh://pi@host.")(
        function
    )


def data_options(function: F) -> F:
    """The evaluation set and the preprocessing."""
    for decorate in (
        click.option(
            "--eval-data", help="Labelled data: .npz, .npy, a folder of images per class, or module:function."
        ),
        click.option("--limit", type=click.IntRange(min=1), help="Use at most this many samples of each data set."),
        click.option("--skip-bad", type=click.IntRange(min=0), default=0, help="Leave out up to so many bad images."),
        click.option("--scale", help="Preprocessing: multiply by this, e.g. 1/255."),
        click.option("--offset", help="Preprocessing: then add this."),
        click.option("--mean", help="Preprocessing: then subtract, one value or one per channel: 0.5,0.5,0.5."),
        click.option("--std", help="Preprocessing: then divide, one value or one per channel."),
        click.option("--resize", help="Preprocessing of image files: HEIGHTxWIDTH."),
        click.option("--layout", type=click.Choice(["nhwc", "nchw"]), help="Axis order of the model."),
        click.option("--color", type=click.Choice(["rgb", "gray"]), help="Channels of image files."),
        click.option("--dtype", help="Preprocessing: type of the result, float32 or uint8 and the like."),
    ):
        function = decorate(function)
    return function


def metric_option(function: F) -> F:
    """--metric."""
    return click.option(
        "--metric",
        help="What answers are judged by: top1 (the default), top5 (any k), f1 (macro), auc, map (COCO), "
        "map50 (PASCAL VOC), miou, mae, mse, rmse, or module:function, called with outputs and labels of the whole "
        "set.",
    )(function)


def compile_options(function: F) -> F:
    """Calibration, output and limits of a compilation."""
    output = click.option("-o", "--output", type=PATH, help="The bundle; default MODEL-TARGET.edgekit.")
    return recipe_options(output(function))


_DROP_IS_HELD = (
    "Sensitive layers are left in float, and a recipe's choices are made, until it holds; needs --eval-data."
)


def recipe_options(function: F, *, drop: str = _DROP_IS_HELD) -> F:
    """Calibration and limits of a compilation, whatever is written in the end.

    Args:
        function: of the command.
        drop: what the command does for `--max-drop`, for its help.
    """
    for decorate in (
        click.option("--calibration-data", help="Typical samples: .npz, .npy, a folder of images, or module:function."),
        click.option("--representative-samples", type=click.IntRange(min=1), help="How many of them are used."),
        click.option(
            "--train-data", help="Samples for recipes that train; they calibrate too where nothing else does."
        ),
        click.option(
            "--max-drop",
            type=Finite(min=0),
            help=f"Accuracy budget: top-1 (or --metric) that may be lost, 0.01 is one point. {drop}",
        ),
        click.option(
            "--confidence",
            default=0.95,
            type=Finite(0.5, 0.9999),
            help="How sure the accuracy budget has to hold, one-sided; 0.5 takes the loss as it was observed.",
        ),
        click.option(
            "--optimize",
            type=click.Choice(["speed", "ram", "flash"]),
            help="For a microcontroller: what the compiler saves where one thing costs another; speed by default.",
        ),
        click.option(
            "--keep-float",
            multiple=True,
            metavar="REGEX",
            help="Leave layers in float32 whose names match; may be given several times.",
        ),
        click.option("--seed", type=click.IntRange(0, 2**63 - 1), help="Seed of every random choice."),
        click.option("--strict", is_flag=True, help="Take warnings for errors."),
        click.option("--timeout", default=1800.0, type=SECONDS, help="Limit for a step, in seconds."),
    ):
        function = decorate(function)
    return function


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """What flags, environment and file say together."""

    project: Project | None
    settings: Settings

    @property
    def project_dir(self) -> Path:
        """Folder of edgekit.toml, or the working folder: where `targets/`, `recipes/` and `devices.toml` may lie."""
        return Path.cwd() if self.project is None else self.project.folder

    def target(self, *, device: DeviceEntry | None = None) -> Target:
        """The target: named, or the device's own.

        Raises:
            UsageError: nobody named one.
        """
        from edgekit.config.targets import load_target

        name = self.settings.target or (device.target if device else None)
        if name is None:
            raise UsageError("no target is named", hint="give --target NAME; edgekit targets lists them")
        target = load_target(name, project_dir=self.project_dir)
        if self.project is None:
            return target
        own = {key: value for key, value in vars(self.project.budgets).items() if value is not None}
        return replace(target, budgets=replace(target.budgets, **own))

    def bundle_target(self, path: Path, recipe: str | None, flags: dict[str, Any]) -> Target:
        """The target that a bundle was compiled for.

        Raises:
            UsageError: another target is named, or a flag that only matters to a compilation.
        """
        from edgekit.bundle.pack import Bundle
        from edgekit.config.targets import load_target

        compiled_for = Bundle.open(path).manifest.target
        flag = self.settings.target if self.settings.origins.get("target") == "flag" else None
        target = load_target(flag or compiled_for, project_dir=self.project_dir)
        if target.name != compiled_for:
            raise UsageError(
                f"{path} was compiled for {compiled_for}, not for {target.name}",
                hint="leave out --target, or compile anew",
            )
        idle = ["--recipe"] * (recipe is not None)
        for name in _COMPILING:
            idle += [f"--{name.replace('_', '-')}"] * (flags[name] not in (None, False, ()))
        if idle:
            raise UsageError(f"{path} is compiled already: {', '.join(idle)} would do nothing", hint="leave it out")
        return target

    def recipe(self) -> Recipe | None:
        """The recipe that was named, None when the target decides."""
        from edgekit.config.recipes import load_recipe

        name = self.settings.recipe
        return None if name is None else load_recipe(name, project_dir=self.project_dir)

    def device(self) -> DeviceEntry:
        """The device: named, or the only one of the named target.

        Raises:
            UsageError: it is not clear which one.
        """
        from edgekit.device.inventory import Inventory

        inventory = Inventory.find(self.project_dir)
        if self.settings.device is not None:
            return inventory.get(self.settings.device)
        entries = list(inventory.entries().values())
        if self.settings.target is not None:
            entries = [entry for entry in entries if entry.target == self.settings.target]
        if len(entries) == 1:
            return entries[0]
        wanted = self.settings.target or "any target"
        if not entries and (board := self._board()) is not None:
            return board
        names = ", ".join(entry.name for entry in entries)
        found = f"{len(entries)} devices of {wanted}: {names}" if entries else f"no device of {wanted}"
        emulate = f"edgekit emulator up {self.settings.target}" if self.settings.target else "edgekit emulator up NAME"
        raise UsageError(
            f"no device is named, and the inventory has {found}",
            hint="give --device NAME or URL" if entries else f"edgekit devices add NAME ssh://user@host, or {emulate}",
        )

    def _board(self) -> DeviceEntry | None:
        """The emulated board of a target that is one: it needs no setting up."""
        from edgekit.config.targets import load_target
        from edgekit.core.device_entry import BOARD_SCHEME, DeviceEntry

        if self.settings.target is None:
            return None
        target = load_target(self.settings.target, project_dir=self.project_dir)
        if target.board is None or target.board.machine is None:
            return None
        url = f"{BOARD_SCHEME}://{target.name}"
        return DeviceEntry(name=url, url=url, target=target.name)

    def model(self, given: Path | None, weights: Path | None = None) -> Path | Factory:
        """The model: the first argument, or the project's.

        Args:
            given: a path, or `package.module:function` as click made a path of it.
            weights: for a function.

        Raises:
            UsageError: there is none, or weights for a file.
        """
        from edgekit.core.factory import Factory

        if given is not None and Factory.is_one(str(given)) and not given.exists():
            return Factory(function=str(given), weights=weights)
        model = given or (self.project.model if self.project else None)
        if model is None:
            raise UsageError(
                "no model is named", hint="give its path, module:function, or write [model] into edgekit.toml"
            )
        if weights is None:
            return model
        if isinstance(model, Factory):
            return replace(model, weights=weights)
        raise UsageError(
            f"--weights goes with a PyTorch model, module:function; {model} is a file", hint="leave out --weights"
        )

    def dataset(self, given: str | None, kind: str, flags: dict[str, Any]) -> Dataset | None:
        """A data set: the flag's, or the project's.

        Args:
            given: the flag.
            kind: "calibration", "training" or "evaluation", the project's key.
            flags: the values of `data_options`.
        """
        from edgekit.core.metric import Labels
        from edgekit.data import load_dataset

        spec = given or (getattr(self.project, kind) if self.project else None)
        if spec is None:
            return None
        return load_dataset(
            spec,
            self.preprocessing(flags),
            limit=flags["limit"],
            skip_bad=flags["skip_bad"],
            folder=None if given else self.project_dir,
            labels=self.metric(flags).labels if "metric" in flags else Labels.STORED,
        )

    def metric(self, flags: dict[str, Any]) -> Metric:
        """The metric: the flag's, else the project's, else top-1.

        Raises:
            ConfigurationError: there is no such metric.
        """
        from edgekit.core.metric import TOP_1, Metric

        if flags["metric"] is not None:
            return Metric.parse(flags["metric"])
        return (self.project.metric if self.project else None) or TOP_1

    def evaluation(self, flags: dict[str, Any]) -> Dataset | None:
        """The evaluation set."""
        return self.dataset(flags["eval_data"], "evaluation", flags)

    def compile_request(self, model: Path | None, target: Target, flags: dict[str, Any]) -> CompileRequest:
        """What `edgekit compile` and `edgekit deploy` compile."""
        from edgekit.config.project import REPRESENTATIVE_SAMPLES
        from edgekit.flows.request import CompileRequest

        project = self.project
        samples = flags["representative_samples"] or (
            project.representative_samples if project else REPRESENTATIVE_SAMPLES
        )
        seed = flags["seed"] if flags["seed"] is not None else (project.seed if project else 0)
        metric, max_drop = self.metric(flags), flags["max_drop"]
        if max_drop is not None and max_drop > 1 and metric.is_share:
            raise UsageError(
                f"--max-drop {max_drop:g} allows everything: {metric.name} runs from 0 to 1", hint="0.01 is one point"
            )
        return CompileRequest(
            model=self.model(model, flags["weights"]),
            target=target,
            recipe=self.recipe(),
            calibration=self.dataset(flags["calibration_data"], "calibration", flags),
            training=self.dataset(flags["train_data"], "training", flags),
            evaluation=self.evaluation(flags),
            output=flags["output"],
            representative_samples=samples,
            seed=seed,
            metric=metric,
            max_drop=max_drop,
            confidence=flags["confidence"],
            keep_float=flags["keep_float"],
            optimize=flags["optimize"],
            input_shape=shape(flags["input_shape"]),
            strict=flags["strict"],
            timeout_s=flags["timeout"],
        )

    def preprocessing(self, flags: dict[str, Any]) -> Preprocessing:
        """The project's preprocessing with the flags on top."""
        from edgekit.core.preprocessing import Color, Layout, Preprocessing

        rule = (self.project.preprocessing if self.project else None) or Preprocessing()
        changes: dict[str, Any] = {
            name: number(flags[name], name) for name in ("scale", "offset") if flags[name] is not None
        }
        changes |= {name: numbers(flags[name], name) for name in ("mean", "std") if flags[name] is not None}
        if flags["resize"] is not None:
            changes["resize"] = size(flags["resize"])
        if flags["layout"] is not None:
            changes["layout"] = Layout(flags["layout"])
        if flags["color"] is not None:
            changes["color"] = Color(flags["color"])
        if flags["dtype"] is not None:
            changes["dtype"] = flags["dtype"]
        return replace(rule, **changes)


def choose(
    config: Path | None, *, target: str | None = None, device: str | None = None, recipe: str | None = None
) -> Chosen:
    """Read the project and settle what counts.

    Raises:
        ConfigurationError: edgekit.toml is wrong, or the named one is not there.
    """
    from edgekit.config.project import find_project, load_project, settle

    path = config or find_project(Path.cwd())
    if config is not None and not config.exists():
        raise ConfigurationError(f"{config} does not exist", hint="edgekit init writes one")
    project = None if path is None else load_project(path)
    flags = {"target": target, "device": device, "recipe": recipe}
    return Chosen(project=project, settings=settle(flags, os.environ, project))
