"""A user's project: `edgekit.toml`, and which of flag, environment and file has the last word."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from edgekit.config._fields import BudgetsSection, Count, File, Number, Section, Seed, Text
from edgekit.config._shelf import is_path
from edgekit.config._toml import read_toml, validate
from edgekit.config.gate import GateSection, gate_of
from edgekit.config.search import SearchSection, search_of
from edgekit.config.targets import budgets_of
from edgekit.core.dataset import DatasetSpec
from edgekit.core.errors import ConfigurationError
from edgekit.core.factory import Factory
from edgekit.core.gate import GateSettings
from edgekit.core.metric import Metric
from edgekit.core.preprocessing import Color, Layout, Preprocessing
from edgekit.core.search.settings import SearchSettings
from edgekit.core.target import Budgets

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FILE_NAME = "edgekit.toml"
REPRESENTATIVE_SAMPLES = 100
"""How many samples calibrate when nobody says; more of them change the ranges little and cost time."""

_SIDE = Annotated[int, Field(strict=True, gt=0, le=16384)]
_ENVIRONMENT = {"target": "EDGEKIT_TARGET", "device": "EDGEKIT_DEVICE", "recipe": "EDGEKIT_RECIPE"}


class ModelSection(Section):
    """The model to deploy: a path, or a function with weights."""

    path: Text | None = Field(default=None, description="file or folder, relative to this file")
    factory: Text | None = Field(
        default=None, description='function that builds a PyTorch module, as in "package.module:function"'
    )
    weights: Text | None = Field(default=None, description="safetensors or state dict, relative to this file")

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if (self.path is None) == (self.factory is None):
            raise ValueError("give either path or factory")
        if self.factory is not None and not Factory.is_one(self.factory):
            raise ValueError(f'factory {self.factory!r} is no function, as in "package.module:function"')
        if self.weights is not None and self.factory is None:
            raise ValueError("weights goes with factory")
        return self


class DataSection(Section):
    """Samples to calibrate with and to judge by; data sets are written as for `--calibration-data`."""

    calibration: Text | None = Field(
        default=None, description="data set for calibration; the training samples when it is left out"
    )
    training: Text | None = Field(default=None, description="data set that recipes with training steps train on")
    evaluation: Text | None = Field(default=None, description="data set for accuracy")
    representative_samples: Count = Field(default=REPRESENTATIVE_SAMPLES, description="samples taken to calibrate")
    seed: Seed = Field(default=0, description="of every random choice")
    labels: Text | None = Field(default=None, description="text file with one class name a line")
    metric: Text | None = Field(
        default=None,
        description="what answers are judged by: top1, top5 (any k), f1, auc, map, map50, miou, mae, mse, "
        "rmse, or module:function",
    )

    @field_validator("metric")
    @classmethod
    def _metric_is_known(cls, name: str | None) -> str | None:
        try:
            return None if name is None else Metric.parse(name).name
        except ConfigurationError as cause:
            raise ValueError(f"{cause.message}; {cause.hint}") from cause


class PreprocessSection(Section):
    """`y = (x * scale + offset - mean) / std`, then cast to dtype."""

    scale: Number = Field(default=1.0, description='e.g. "1/255"')
    offset: Number = 0.0
    mean: tuple[Number, ...] = Field(default=(), description="one per channel, or one for all")
    std: tuple[Number, ...] = Field(default=(), description="one per channel, or one for all")
    resize: tuple[_SIDE, _SIDE] | None = Field(default=None, description="[height, width] of image files")
    layout: Literal["nhwc", "nchw"] = Field(default="nhwc", description="axis order of the model")
    dtype: Literal["float32", "int8", "uint8", "int16", "int32", "int64"] = "float32"
    color: Literal["rgb", "gray"] = Field(default="rgb", description="channels that image files are read into")

    @model_validator(mode="after")
    def _std_divides(self) -> Self:
        if any(value <= 0 for value in self.std):
            raise ValueError(f"std {list(self.std)} has a value that is not positive")
        return self


class ProjectFile(File):
    """What a user's project deploys, and where."""

    target: Text | None = Field(default=None, description="kind of machine")
    device: Text | None = Field(default=None, description="name or URL of one machine")
    recipe: Text | None = Field(default=None, description="how the model is made small")
    model: ModelSection | None = None
    data: DataSection = DataSection()
    preprocess: PreprocessSection | None = None
    budgets: BudgetsSection = BudgetsSection()
    gate: GateSection = GateSection()
    search: SearchSection = SearchSection()


@dataclass(frozen=True, kw_only=True)
class Project:
    """What `edgekit.toml` says; every path in it is absolute.

    Attributes:
        path: the file.
        model: the model, None when the file names none.
        calibration, training, evaluation: data sets, as `edgekit.data.load_dataset` takes them.
        representative_samples: how many samples calibrate.
        seed: of every random choice.
        labels: text file with one class name a line.
        preprocessing: None when the file has no such table.
        target, device, recipe: names, None when the file names none.
        budgets: the limits that this project sets.
        metric: what answers are judged by, None when the file does not say.
        gate: what `edgekit gate` holds a build to.
        search: what `edgekit search` varies, and what for.
    """

    path: Path
    model: Path | Factory | None = None
    calibration: str | None = None
    training: str | None = None
    evaluation: str | None = None
    representative_samples: int = REPRESENTATIVE_SAMPLES
    seed: int = 0
    labels: Path | None = None
    preprocessing: Preprocessing | None = None
    target: str | None = None
    device: str | None = None
    recipe: str | None = None
    budgets: Budgets = field(default_factory=Budgets)
    metric: Metric | None = None
    gate: GateSettings = field(default_factory=GateSettings)
    search: SearchSettings = field(default_factory=SearchSettings)

    @property
    def folder(self) -> Path:
        """Where the file lies: the base of its relative paths and of the user's own modules."""
        return self.path.parent


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The names that count in the end.

    Attributes:
        target, device, recipe: None when nobody named one.
        origins: for each one that is set, "flag", "environment" or "file".
    """

    target: str | None
    device: str | None
    recipe: str | None
    origins: Mapping[str, str]


def find_project(folder: Path) -> Path | None:
    """The nearest `edgekit.toml` in a folder or above it, None when there is none."""
    start = folder.resolve()
    return next((found for parent in (start, *start.parents) if (found := parent / FILE_NAME).is_file()), None)


def load_project(path: Path) -> Project:
    """Read a project file.

    Raises:
        ConfigurationError: the file is wrong.
        InputError: the path is not a readable file.
    """
    file = validate(ProjectFile, read_toml(path, what="project"))
    folder = path.resolve().parent
    data, rule = file.data, file.preprocess
    return Project(
        path=path.resolve(),
        model=None if file.model is None else _model(file.model, folder),
        calibration=_dataset(data.calibration, folder),
        training=_dataset(data.training, folder),
        evaluation=_dataset(data.evaluation, folder),
        representative_samples=data.representative_samples,
        seed=data.seed,
        labels=None if data.labels is None else folder / data.labels,
        preprocessing=None if rule is None else _preprocessing(rule),
        target=_name_or_path(file.target, folder),
        device=file.device,
        recipe=_name_or_path(file.recipe, folder),
        budgets=budgets_of(file.budgets),
        metric=None if data.metric is None else Metric.parse(data.metric, folder=folder),
        gate=gate_of(file.gate),
        search=search_of(file.search),
    )


def settle(flags: Mapping[str, str | None], environment: Mapping[str, str], project: Project | None) -> Settings:
    """Choose target, device and recipe: a flag wins over EDGEKIT_TARGET and the like, these win over the file.

    Args:
        flags: "target", "device" and "recipe" as given on the command line, None or absent when not given.
        environment: usually `os.environ`; an empty variable counts as not set.
        project: the project file, None for none.
    """
    values: dict[str, str | None] = {}
    origins: dict[str, str] = {}
    for name, variable in _ENVIRONMENT.items():
        offers = (
            ("flag", flags.get(name)),
            ("environment", environment.get(variable)),
            ("file", getattr(project, name, None)),
        )
        origin, values[name] = next(((origin, value) for origin, value in offers if value), ("", None))
        if origin:
            origins[name] = origin
    return Settings(**values, origins=origins)


def _model(section: ModelSection, folder: Path) -> Path | Factory:
    if section.factory is None:
        assert section.path is not None  # the section checked it
        return folder / section.path
    return Factory(function=section.factory, weights=None if section.weights is None else folder / section.weights)


def _dataset(spec: str | None, folder: Path) -> str | None:
    return None if spec is None else str(DatasetSpec.parse(spec).relative_to(folder))


def _name_or_path(text: str | None, folder: Path) -> str | None:
    return text if text is None or not is_path(text) else str(folder / text)


def _preprocessing(rule: PreprocessSection) -> Preprocessing:
    return Preprocessing(
        scale=rule.scale,
        offset=rule.offset,
        mean=rule.mean,
        std=rule.std,
        resize=rule.resize,
        layout=Layout(rule.layout),
        dtype=rule.dtype,
        color=Color(rule.color),
    )
