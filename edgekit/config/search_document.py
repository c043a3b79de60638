"""The result of a search as a file, `search.json`: what edgekit writes, and reads again to deploy a point."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictFloat, StrictInt, StrictStr, ValidationError

from edgekit.core.errors import InputError
from edgekit.core.measurement import Provenance
from edgekit.core.search.trial import State

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_Whole = Annotated[int, Field(strict=True, ge=0)]
_Amount = Annotated[float, Field(ge=0)]
_Value = StrictBool | StrictInt | StrictFloat | StrictStr
_Params = Annotated[dict[str, _Value], Field(description="the point: value by parameter")]
_Values = Annotated[dict[str, float | None], Field(description="value by metric; null where it is no number")]
_Step = Annotated[tuple[float, float], Field(description="trials, or seconds on devices; then the hypervolume, 0 to 1")]


class Part(BaseModel):
    """A part of the document; what a newer edgekit adds is not read."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False, defer_build=True)


class JudgedBy(Part):
    """The metric of right answers."""

    name: str
    is_share: bool = Field(description="whether it runs from 0 to 1")


class GoalPart(Part):
    """What was made as good as possible."""

    metric: str
    maximize: bool


class LimitPart(Part):
    """A constraint."""

    metric: str
    most: float = Field(description="largest value allowed, smallest where the metric is maximized; in its unit")
    source: str = Field(description="who set it")
    excluded: _Whole = Field(description="trials that it excluded")


class StepPart(Part):
    """A step of a recipe."""

    pass_name: str = Field(alias="pass")
    params: dict[str, Any]


class PointPart(Part):
    """A point of the front."""

    trial: _Whole
    params: _Params
    values: _Values
    intervals: dict[str, tuple[float, float]] = Field(description="95 % interval by metric: low, high")
    measured: list[str] = Field(description="metrics that the device or its emulator gave")
    steps: list[StepPart] = Field(description="the recipe that makes it")
    artifact: str = Field(description="sha256 of what was judged")
    flags: list[str] = Field(description="validity flags of the measurement")
    notes: list[str]
    device_s: _Amount
    same: list[_Whole] = Field(description="later trials with the same values")
    picks: list[str] = Field(description="smallest, fastest, balanced, as far as it is that")
    bundle: str | None = Field(description="path in the study's folder; null with a reason")
    bundle_reason: str | None
    deploy: str = Field(description="the command that deploys it")


class TriedPart(Part):
    """A trial in the list of all; one that has not ended has no outcome."""

    trial: _Whole
    state: State
    params: _Params
    attempts: Annotated[int, Field(strict=True, ge=1)]
    stage: str | None = Field(default=None, description="the last one that ran")
    values: _Values | None = None
    violations: dict[str, float | None] | None = Field(default=None, description="by how much a limit is exceeded")
    reason: str | None = None
    device_s: _Amount | None = None
    seconds: dict[str, _Amount] | None = Field(default=None, description="by stage")


class HypervolumePart(Part):
    """The share of the box between the ideal and the reference point that the front dominates, 0 to 1."""

    final: float
    ideal: dict[str, float]
    reference: dict[str, float]
    over_trials: list[_Step]
    over_device_s: list[_Step]


class ProxyPart(Part):
    """What a zero-cost proxy knew."""

    correlation: float = Field(ge=-1, le=1, description="Spearman's, with the accuracy")
    n: _Whole


class DevicePart(Part):
    """A device that measured."""

    name: str
    uses: _Whole
    device_s: _Amount
    faults: _Whole
    left_out: str | None = Field(description="why; null where it was not")


class SearchDocument(Part):
    """What `edgekit search --json` prints, and `search.json` holds."""

    schema_: Literal["edgekit.search/1"] = Field(alias="schema")
    study: str = Field(description="the folder")
    model: str = Field(description="as it was named; that of a function without a model is the function")
    architecture: str | None = Field(description="module:function that builds nets")
    target: str
    engine: str
    strategy: str
    seed: _Whole
    max_drop: float | None
    metric: JudgedBy
    goals: Annotated[list[GoalPart], Field(min_length=1)]
    limits: list[LimitPart]
    counts: dict[str, _Whole] = Field(description="trials by state, and in all: total")
    stages: dict[str, _Whole] = Field(description="trials that ran each stage")
    front: list[PointPart] = Field(description="what nothing tried beats, sorted by the last goal")
    picks: dict[Literal["smallest", "fastest", "balanced"], _Whole] = Field(description="trial by word")
    hypervolume: HypervolumePart
    importance: dict[str, dict[str, float]] = Field(description="by goal and parameter, share in its variance")
    proxies: dict[str, ProxyPart]
    tried: list[TriedPart]
    devices: list[DevicePart]
    device_s: _Amount
    workers: _Whole
    seconds: _Amount = Field(description="that the last call took")
    end: Literal["trials", "time", "exhausted", "devices", "interrupted"]
    interrupted: bool
    provenance: Provenance | None = Field(description="of the devices' numbers; null where none was asked")
    warnings: list[str]
    command: list[str]
    run_id: str | None = Field(default=None, description="in the store of runs; --json alone")
    run_id_reason: str | None = Field(default=None, description="why there is none")


def check_search_document(document: Mapping[str, Any], path: Path) -> None:
    """See that a document can be read.

    Args:
        document: with the schema "edgekit.search/1".
        path: where it stood.

    Raises:
        InputError: something is missing or is not what it should be; the first such place is named.
    """
    try:
        SearchDocument.model_validate(document)
    except ValidationError as cause:
        first = cause.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise InputError(
            f"{path} is damaged: {place}: {first['msg']}", hint="edgekit search ... --resume writes it anew"
        ) from cause
