"""The page as values: every word and number is decided, only the layout is left."""

from __future__ import annotations

from dataclasses import dataclass


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
class Bar:
    """A size in bytes, as a number and as text."""

    label: str
    size_bytes: int
    text: str


@dataclass(frozen=True, kw_only=True)
class SizePlot:
    """The size after each step, the model as given first."""

    title: str
    bars: tuple[Bar, ...]


@dataclass(frozen=True, kw_only=True)
class Point:
    """A share of correct answers with its 95 % interval, all 0..1."""

    label: str
    text: str
    value: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class AccuracyPlot:
    """Accuracy of the float model and of the artifact, wherever it ran."""

    title: str
    points: tuple[Point, ...]


@dataclass(frozen=True, kw_only=True)
class Process:
    """The samples of one process.

    Attributes:
        label: number of the process, from 1.
        median_ns: of its samples.
        counts: samples in each of equally wide bins between the plot's low_ns and high_ns.
        beyond: samples above high_ns.
    """

    label: str
    median_ns: float
    counts: tuple[int, ...]
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
    processes: tuple[Process, ...]


@dataclass(frozen=True, kw_only=True)
class Amount:
    """A number that is not negative, as a length and as text; the muted one is what others are held against."""

    label: str
    value: float
    text: str
    is_muted: bool = False


@dataclass(frozen=True, kw_only=True)
class AmountPlot:
    """One bar an amount, all from zero."""

    title: str
    bars: tuple[Amount, ...]


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


Plot = SizePlot | AccuracyPlot | LatencyPlot | AmountPlot | TradeoffPlot | MemoryPlot


@dataclass(frozen=True, kw_only=True)
class Section:
    """Numbers on one question, with the plot and the table that show the same in detail."""

    title: str
    rows: tuple[Row, ...]
    note: str = ""
    plot: Plot | None = None
    table: Table | None = None


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Names and texts that make the numbers comparable."""

    title: str
    entries: tuple[tuple[str, str], ...]


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
    """

    title: str
    subtitle: str
    failure: str | None
    remarks: tuple[str, ...]
    headline: tuple[Row, ...]
    sections: tuple[Section, ...]
    facts: tuple[Facts, ...]
    command: str
