"""The page as values: every word and number is decided, only the layout is left."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from edgekit.report._front import FrontPlot


@dataclass(frozen=True, kw_only=True)
class Row:
    """One number and what is known of it.

    Attributes:
        metric: what it is.
        value: with its unit, or "not measured".
        interval: the 95 % interval with its unit, empty when there is none.
        provenance: "measured", "emulated", "estimated", or empty for what is no measurement.
        validity: flags of the measurement; empty for what is no measurement of time or memory.
        note: counts, or why it was not measured.
    """

    metric: str
    value: str
    interval: str = ""
    provenance: str = ""
    validity: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Table:
    """Text cells under a header; all rows are as long as the header."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, kw_only=True)
class Amount:
    """A number that is not negative, as a length and as text; the muted one is what others are held against.

    Attributes:
        interval: of the number, as lengths; None where there is none.
        limit: a mark on the same axis; None without one.
    """

    label: str
    value: float
    text: str
    is_muted: bool = False
    interval: tuple[float, float] | None = None
    limit: float | None = None


@dataclass(frozen=True, kw_only=True)
class AmountPlot:
    """One bar an amount, all from zero."""

    title: str
    bars: tuple[Amount, ...]


class Unit(StrEnum):
    """What an axis is written in."""

    SHARE = "share"
    """0..1, in percent."""

    CHANGE = "change"
    """A difference from what was before, in percent with its sign."""

    TIME = "time"
    """Nanoseconds."""

    TEMPERATURE = "temperature"
    """Degrees Celsius."""

    FREQUENCY = "frequency"
    """Kilohertz."""


@dataclass(frozen=True, kw_only=True)
class Point:
    """A value with its 95 % interval; `low` and `high` are the value itself where it has none."""

    label: str
    text: str
    value: float
    low: float
    high: float
    is_muted: bool = False


@dataclass(frozen=True, kw_only=True)
class PointPlot:
    """Values with their intervals on one axis.

    Attributes:
        title: what they are.
        unit: of the axis.
        points: one row each.
        band: from where to where nothing counts as a difference; None without one.
        origin: a line that values lie on both sides of; None without one.
    """

    title: str
    unit: Unit
    points: tuple[Point, ...]
    band: tuple[float, float] | None = None
    origin: float | None = None


@dataclass(frozen=True, kw_only=True)
class Strip:
    """The samples of one process.

    Attributes:
        label: number of the process, from 1.
        low_ns, high_ns: from the 5th to the 95th percentile.
        quartiles_ns: the middle half.
        median_ns: of its samples.
        beyond: samples above the plot's high_ns.
    """

    label: str
    low_ns: float
    high_ns: float
    quartiles_ns: tuple[float, float]
    median_ns: float
    beyond: int


@dataclass(frozen=True, kw_only=True)
class LatencyPlot:
    """How long the calls of each process took.

    Attributes:
        title: says whose time it is.
        low_ns, high_ns: the axis.
        median_ns: of the process medians.
        interval_ns: its 95 % interval, None with a single process.
        processes: in the order in which they ran.
    """

    title: str
    low_ns: float
    high_ns: float
    median_ns: float
    interval_ns: tuple[float, float] | None
    processes: tuple[Strip, ...]


@dataclass(frozen=True, kw_only=True)
class Panel:
    """A curve over the plot's seconds; None where nobody knows the value."""

    label: str
    unit: Unit
    values: tuple[float | None, ...]


@dataclass(frozen=True, kw_only=True)
class CurvePlot:
    """Curves over one axis of seconds, one under the other.

    Attributes:
        title: what the plot shows.
        seconds: of each value; at least two.
        panels: each with an axis of its own.
        mark_s: a moment to mark; None without one.
        mark: what happened then.
        axis: what the axis counts, if not seconds.
    """

    title: str
    seconds: tuple[float, ...]
    panels: tuple[Panel, ...]
    mark_s: float | None = None
    mark: str = ""
    axis: str = "s"


@dataclass(frozen=True, kw_only=True)
class TrendPoint:
    """The median of a run with its interval; a hollow one is doubtful."""

    value_ns: float
    low_ns: float
    high_ns: float
    is_doubtful: bool


@dataclass(frozen=True, kw_only=True)
class TrendPlot:
    """A figure from run to run.

    Attributes:
        title: of what and where.
        points: in the order of time.
        steps: places of the points that begin a new level, with what changed there.
        first, last: when the first and the last run was made.
    """

    title: str
    points: tuple[TrendPoint, ...]
    steps: tuple[tuple[int, str], ...]
    first: str
    last: str


@dataclass(frozen=True, kw_only=True)
class Tradeoff:
    """A model by what its transfer costs and how often it is right.

    Attributes:
        label: what it is.
        text: both figures.
        size_bytes: of the transfer.
        value, low, high: share of correct answers with its 95 % interval, all 0..1.
        is_muted: the float model, which others are held against.
    """

    label: str
    text: str
    size_bytes: int
    value: float
    low: float
    high: float
    is_muted: bool = False


@dataclass(frozen=True, kw_only=True)
class TradeoffPlot:
    """Accuracy against bytes.

    Attributes:
        title: says which bytes.
        points: the model after each step, numbered in the plot.
        tried: variants that were tried and not taken, as (bytes, share of correct answers).
        limit: the least share that the budget allows, None without a budget.
    """

    title: str
    points: tuple[Tradeoff, ...]
    tried: tuple[tuple[int, float], ...] = ()
    limit: float | None = None


@dataclass(frozen=True, kw_only=True)
class MemoryBlock:
    """Bytes of an arena that are in use from the first to the last step, inclusive.

    Attributes:
        name: what they hold.
        label: the same in a word, for the plot.
        is_scratch: whether a layer uses them for itself.
    """

    name: str
    label: str
    offset_bytes: int
    size_bytes: int
    first: int
    last: int
    is_scratch: bool


@dataclass(frozen=True, kw_only=True)
class MemoryPlot:
    """What lies where in an arena, step by step.

    Attributes:
        title: what the plot shows.
        arena_bytes: the axis; more than 0.
        bound_bytes: what no plan goes below.
        steps: how many; more than 0.
        peak: the step that needs most.
        blocks: in the order in which they are drawn.
    """

    title: str
    arena_bytes: int
    bound_bytes: int
    steps: int
    peak: int
    blocks: tuple[MemoryBlock, ...]


Plot = AmountPlot | PointPlot | LatencyPlot | CurvePlot | TrendPlot | TradeoffPlot | MemoryPlot | FrontPlot


@dataclass(frozen=True, kw_only=True)
class Section:
    """Numbers on one question, with the plot and the table that show the same in detail.

    Attributes:
        marks: provenance and flags of the figures in plot and table; empty where each says its own.
    """

    title: str
    rows: tuple[Row, ...]
    note: str = ""
    plot: Plot | None = None
    table: Table | None = None
    marks: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Names and texts that make the numbers comparable."""

    title: str
    entries: tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True)
class Conclusion:
    """A verdict in a word and a clause; `kind` is "pass", "fail" or "open"."""

    kind: str
    word: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class ReportPage:
    """Everything that a report says.

    Attributes:
        title: the model and where it went.
        subtitle: target, recipe, time.
        failure: why the run failed, None when it did not.
        remarks: what a reader must know before trusting a number.
        headline: the few rows that people look for.
        sections: all rows by question.
        facts: run, versions, digests, environment.
        command: what reproduces the run; empty when the document does not say.
        verdict: what the document concludes; None for one that only tells figures.
    """

    title: str
    subtitle: str
    failure: str | None
    remarks: tuple[str, ...]
    headline: tuple[Row, ...]
    sections: tuple[Section, ...]
    facts: tuple[Facts, ...]
    command: str
    verdict: Conclusion | None = None
