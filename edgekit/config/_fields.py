"""The kinds of value that the files hold: names, counts, and sizes, durations and shares with their unit."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from edgekit.config._toml import NEWEST_SCHEMA
from edgekit.core.errors import UsageError
from edgekit.core.units import parse_bytes, parse_duration_ns

if TYPE_CHECKING:
    from collections.abc import Callable

_LARGEST = 2**63 - 1


class Section(BaseModel):
    """A table of a file: unknown keys, NaN and infinity are refused."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        allow_inf_nan=False,
        str_max_length=4096,
        defer_build=True,  # a section alone is never read, and most commands read one kind of file
    )


class File(Section):
    """A whole file."""

    schema_version: Annotated[int, Field(strict=True, ge=1, le=NEWEST_SCHEMA)] = Field(
        default=NEWEST_SCHEMA, alias="schema", description="version of the file's form"
    )


def _with_unit(parse: Callable[[str], int]) -> BeforeValidator:
    def read(value: object) -> object:
        if not isinstance(value, str):
            return value
        try:
            return parse(value)
        except UsageError as cause:
            raise ValueError(f"{cause.message}; {cause.hint}") from cause
        except OverflowError as cause:
            raise ValueError(f"{value[:80]!r} is too large") from cause

    return BeforeValidator(read)


def _share(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return float(value.removesuffix("%")) / 100 if value.endswith("%") else float(value)
    except ValueError:
        raise ValueError(f"{value!r} is not a share; write it like 0.01 or 1%") from None


def _ratio(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return float(Fraction(value.replace(" ", "")))
    except (ValueError, ZeroDivisionError, OverflowError):
        raise ValueError(f"{value!r} is not a number; write it like 0.5 or 1/255") from None


def _written(kind: str, example: str, **limits: Any) -> WithJsonSchema:
    """JSON Schema of a number that may be written as text with its unit."""
    return WithJsonSchema({"anyOf": [{"type": kind, **limits}, {"type": "string", "examples": [example]}]})


Text = Annotated[str, Field(min_length=1)]
Word = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.+-]*$", max_length=64)]
Count = Annotated[int, Field(strict=True, gt=0, le=_LARGEST)]
Seed = Annotated[int, Field(strict=True, ge=0, le=_LARGEST)]
Number = Annotated[float, Field(strict=True), BeforeValidator(_ratio), _written("number", "1/255")]
Share = Annotated[float, Field(strict=True, ge=0, lt=1), BeforeValidator(_share), _written("number", "1%", minimum=0)]
Size = Annotated[
    int, Field(strict=True, gt=0, le=_LARGEST), _with_unit(parse_bytes), _written("integer", "64KiB", minimum=1)
]
Duration = Annotated[
    int, Field(strict=True, gt=0, le=_LARGEST), _with_unit(parse_duration_ns), _written("integer", "20ms", minimum=1)
]
Dtype = Literal["float32", "float16", "int4", "int8", "uint8", "int16", "int32", "int64", "bool"]


class BudgetsSection(Section):
    """Limits of an artifact; a key that is left out means no limit."""

    flash: Size | None = Field(default=None, description="bytes of the artifact's file")
    ram: Size | None = Field(default=None, description="bytes of memory that inference may add")
    latency_p90: Duration | None = Field(
        default=None, description="90th percentile of one inference; a bare number is in ns"
    )
    accuracy_drop: Share | None = Field(
        default=None, description="largest loss of accuracy (top-1, or the project's metric): 0.01 or 1% is one point"
    )
