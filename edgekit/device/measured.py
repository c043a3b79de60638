"""What is asked of a `measure`, and what comes back: raw times and sizes of fresh processes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from edgekit.core.errors import ProtocolError
from edgekit.core.measurement import Conditions, InstructionCount, OperatorRun, Window
from edgekit.device.conditions import conditions_of, parse_conditions
from edgekit.device.fields import Fields
from edgekit.device.replies import ChildFacts
from edgekit.transports import printable


@dataclass(frozen=True, kw_only=True)
class MeasureRequest:
    """How to time and weigh a model, see "Measuring" in docs/protocol.md.

    Attributes:
        processes: fresh processes that time it, one after the other.
        warmup: calls in each before the timed ones, at least.
        samples: timed calls in each, at least.
        min_seconds: time that each spends on them, at least.
        hold: keep the device's lock until a measure without it, or the end of the connection.
        memory: processes that weigh it.
        steady_cap_s: the warm-up goes on until it is steady, at most so long; None counts calls only.
        batch_ns: length of a sample of very short calls; None never batches them.
        sentinel_rounds: work to be timed before and after; 0 lets the device find out how much; None is none.
        cold: drop the model's file from the page cache before it is loaded.
        affinity: cores that the processes are pinned to; empty leaves it to the system.
        stages: time the quantization of inputs and the reading of outputs.
        outputs: digest the first outputs.
        window_s: note the state of the machine so often; None never.
        operators: time each operator, in processes of their own.
        instructions: count instructions where the device can.
    """

    processes: int
    warmup: int
    samples: int
    min_seconds: float
    hold: bool = False
    memory: int = 1
    steady_cap_s: float | None = None
    batch_ns: int | None = None
    sentinel_rounds: int | None = None
    cold: bool = False
    affinity: tuple[int, ...] = ()
    stages: bool = False
    outputs: bool = False
    window_s: float | None = None
    operators: bool = False
    instructions: bool = False

    def as_json(self) -> dict[str, object]:
        """The parameters; what is left at its default is not named, as agents of old do not know it."""
        named = {one.name: getattr(self, one.name) for one in fields(self) if getattr(self, one.name) != one.default}
        return named | ({"affinity": list(self.affinity)} if self.affinity else {})


@dataclass(frozen=True, kw_only=True)
class ProcessRun:
    """Times of one fresh process in nanoseconds, in the order taken; None only if its child did not end "ok".

    Attributes:
        import_ns, load_ns, first_ns: import of the runtime, load of the model, first call.
        warmup_ns, samples_ns: calls that are not counted, and that are.
        child: how the process ended.
        cold: whether nothing of the model's file was in the page cache when it was loaded; None: nobody asked.
        steady: whether the warm-up became steady; None: it was a count of calls.
        batch: calls that each sample is the mean of.
        timer_ns: cost of reading the clock twice; None where nobody asked.
        sentinel_ns: the fixed piece of work before and after, the median of five times each; None without it.
        sentinel_rounds: how much work that was.
        switches: involuntary context switches during the counted calls.
        before, after: state of the machine before the import and behind the last counted call.
        stages_ns: samples of the stages around a call, by name.
        outputs_sha256: digest of the first outputs.
        outputs_each_sha256: of each of the first inputs; empty from an agent of old.
        windows: stretches of the counted calls.
    """

    import_ns: int | None
    load_ns: int | None
    first_ns: int | None
    warmup_ns: tuple[int, ...]
    samples_ns: tuple[int, ...]
    child: ChildFacts
    cold: bool | None = None
    steady: bool | None = None
    batch: int = 1
    timer_ns: int | None = None
    sentinel_ns: tuple[int, int] | None = None
    sentinel_rounds: int | None = None
    switches: int | None = None
    before: Conditions | None = None
    after: Conditions | None = None
    stages_ns: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    outputs_sha256: str | None = None
    outputs_each_sha256: tuple[str, ...] = ()
    windows: tuple[Window, ...] = ()

    @classmethod
    def parse(cls, fields: Fields) -> ProcessRun:
        """Read R of docs/protocol.md; a time of zero or less is a lie or a broken clock."""
        child = ChildFacts.parse(fields.fields("child"))
        read = fields.integer if child.exit == "ok" else fields.optional_integer
        windows = tuple(_window(one) for one in fields.objects("windows")) if fields.has("windows") else ()
        samples_ns = fields.integers("samples_ns", minimum=1)
        if windows and sum(window.samples for window in windows) != len(samples_ns):
            raise ProtocolError(
                f"the windows of a run do not hold its {len(samples_ns)} samples",
                hint="agent and edgekit may be of different versions, or the device is not honest",
            )
        sentinel = fields.fields("sentinel") if fields.has("sentinel") else None
        stages = fields.fields("stages_ns") if fields.has("stages_ns") else None
        return cls(
            import_ns=read("import_ns"),
            load_ns=read("load_ns"),
            first_ns=read("first_ns", minimum=1),
            warmup_ns=fields.integers("warmup_ns", minimum=1),
            samples_ns=samples_ns,
            child=child,
            cold=fields.boolean("cold") if fields.has("cold") else None,
            steady=fields.boolean("steady") if fields.has("steady") else None,
            batch=fields.integer("batch", minimum=1) if fields.has("batch") else 1,
            timer_ns=fields.integer("timer_ns") if fields.has("timer_ns") else None,
            sentinel_ns=(sentinel.integer("before_ns", minimum=1), sentinel.integer("after_ns", minimum=1))
            if sentinel
            else None,
            sentinel_rounds=sentinel.integer("rounds", minimum=1) if sentinel else None,
            switches=fields.integer("switches") if fields.has("switches") else None,
            before=parse_conditions(fields.fields("before")) if fields.has("before") else None,
            after=parse_conditions(fields.fields("after")) if fields.has("after") else None,
            stages_ns={printable(name, limit=100): stages.integers(name) for name in stages.names()} if stages else {},
            outputs_sha256=fields.digest("outputs_sha256") if fields.has("outputs_sha256") else None,
            outputs_each_sha256=fields.digests("outputs_each_sha256") if fields.has("outputs_each_sha256") else (),
            windows=windows,
        )

    @property
    def total_ns(self) -> int:
        """All of it, as far as it is known."""
        calls = sum(self.warmup_ns) + sum(self.samples_ns) * self.batch
        return sum((self.import_ns or 0, self.load_ns or 0, self.first_ns or 0, calls, *(self.sentinel_ns or ())))


@dataclass(frozen=True, kw_only=True)
class MemoryRun:
    """Memory of one process of its own.

    Attributes:
        baseline_rss_bytes: resident after all imports, before the model.
        peak_rss_bytes: highest since then.
        file_bytes: size of the artifact.
        child: how the process ended.
        pss_bytes: proportional set size after the runs; None where the kernel does not tell it.
        private_bytes: of these, what no other process shares.
        swap_bytes: swapped out.
        arena_bytes: what the runtime's own planner took, where it tells it.
    """

    baseline_rss_bytes: int | None
    peak_rss_bytes: int | None
    file_bytes: int | None
    child: ChildFacts
    pss_bytes: int | None = None
    private_bytes: int | None = None
    swap_bytes: int | None = None
    arena_bytes: int | None = None

    @classmethod
    def parse(cls, fields: Fields) -> MemoryRun:
        """Read M of docs/protocol.md."""
        more = ("pss_bytes", "private_bytes", "swap_bytes", "arena_bytes")
        return cls(
            baseline_rss_bytes=fields.optional_integer("baseline_rss_bytes"),
            peak_rss_bytes=fields.optional_integer("peak_rss_bytes"),
            file_bytes=fields.optional_integer("file_bytes"),
            child=ChildFacts.parse(fields.fields("child")),
            **{name: fields.integer(name) for name in more if fields.has(name)},
        )


@dataclass(frozen=True, kw_only=True)
class MeasureResult:
    """Raw samples of all processes.

    Attributes:
        runs: one entry a process that timed the model.
        memory: the first process that weighed it; None when none did.
        memories: all of them.
        environment_before, environment_after: as the device tells them, of free form.
        conditions_before, conditions_after: within these; None from an agent that does not tell them.
        operators: of processes of their own; empty with `operators_reason`.
        instructions: of one call; None with `instructions_reason`.
    """

    runs: tuple[ProcessRun, ...]
    memory: MemoryRun | None
    memories: tuple[MemoryRun, ...]
    environment_before: Mapping[str, Any]
    environment_after: Mapping[str, Any]
    conditions_before: Conditions | None = None
    conditions_after: Conditions | None = None
    operators: tuple[OperatorRun, ...] = ()
    operators_reason: str | None = None
    instructions: InstructionCount | None = None
    instructions_reason: str | None = None

    @classmethod
    def parse(cls, fields: Fields) -> MeasureResult:
        """Read the answer to `measure`."""
        memory, environment = fields.optional_fields("memory"), fields.fields("environment")
        first = MemoryRun.parse(memory) if memory else None
        weighed = tuple(MemoryRun.parse(one) for one in fields.objects("memories")) if fields.has("memories") else ()
        return cls(
            runs=tuple(ProcessRun.parse(run) for run in fields.objects("runs")),
            memory=first,
            memories=weighed or ((first,) if first else ()),
            environment_before=environment.free_form("before"),
            environment_after=environment.free_form("after"),
            conditions_before=conditions_of(environment.fields("before")),
            conditions_after=conditions_of(environment.fields("after")),
            operators=tuple(_operator(one) for one in fields.objects("operators")) if fields.has("operators") else (),
            operators_reason=fields.text("operators_reason") if fields.has("operators_reason") else None,
            instructions=_instructions(fields.fields("instructions")) if fields.has("instructions") else None,
            instructions_reason=fields.text("instructions_reason") if fields.has("instructions_reason") else None,
        )


def _window(fields: Fields) -> Window:
    return Window(samples=fields.integer("samples"), conditions=parse_conditions(fields.fields("conditions")))


def _operator(fields: Fields) -> OperatorRun:
    return OperatorRun(
        name=fields.text("name"),
        op=fields.text("op"),
        ns=fields.integers("ns"),
        instructions=fields.integer("instructions") if fields.has("instructions") else None,
    )


def _instructions(fields: Fields) -> InstructionCount:
    return InstructionCount(
        value=fields.integer("value", minimum=1),
        low=fields.integer("low", minimum=1),
        high=fields.integer("high", minimum=1),
        calls=fields.integer("calls", minimum=1),
        exact=fields.boolean("exact"),
        source=fields.text("source"),
    )
