"""A device that measures without running anything: its clock is a number, and a test says what happens to it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

from edgekit.core.errors import EdgekitError
from edgekit.core.measurement import Conditions
from edgekit.device.measured import MeasureRequest, MeasureResult, MemoryRun, ProcessRun
from edgekit.device.replies import ChildFacts, ProbeResult
from edgekit.device.tensors import TensorRef, encode

OK = ChildFacts(exit="ok", signal=None, message="", max_rss_bytes=None)
CORES = 4


@dataclass(kw_only=True)
class MeasuringDevice:
    """What `MeasuringSession` asks of a DeviceClient.

    Attributes:
        call_ns: time of a call, by the artifact's digest.
        spread: factors that the processes take in turn.
        sentinels: factors of the fixed piece of work, one a process; 1 when they have run out.
        state: changes the conditions that the device is about to tell.
        steady: whether the warm-ups become steady.
        ending: how a process ends, by its number over all requests.
        requests: every measure, with the digest of its artifact.
        outputs: digests that a process tells of its first outputs.
        answers: what an accuracy run gives.
        once: factor of the time of a process with one input only.
        free_bytes: of its disk.
        is_held: whether the last request left the device locked.
    """

    call_ns: Mapping[str, int] = field(default_factory=dict)
    spread: Sequence[float] = (1.0,)
    sentinels: Iterable[float] = ()
    state: Callable[[Conditions], Conditions] = lambda conditions: conditions
    steady: bool = True
    ending: Mapping[int, ChildFacts] = field(default_factory=dict)
    error: EdgekitError | None = None
    requests: list[tuple[str, MeasureRequest, tuple[TensorRef, ...]]] = field(default_factory=list)
    outputs: tuple[str, ...] = ()
    answers: Any = None
    once: float = 1.0
    free_bytes: int = 2**30
    is_held: bool = False
    now_ns: int = 0
    hello: Any = field(default_factory=lambda: SimpleNamespace(agent="f" * 64))
    _done: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._work = deque(self.sentinels)

    def stage_tensor(self, array: Any, **_: Any) -> TensorRef:
        return encode(array)[0]

    def probe(self, runtimes: Sequence[str]) -> ProbeResult:
        assert not runtimes
        return ProbeResult(runtimes={}, environment=self._environment(), conditions=self._conditions())

    def status(self) -> Any:
        return SimpleNamespace(free_bytes=self.free_bytes)

    def evaluate(self, inputs: Sequence[TensorRef], *, artifact: Any, **_: Any) -> Any:
        assert self.is_held, "nobody may come in between"
        if isinstance(self.answers, EdgekitError):
            raise self.answers
        return SimpleNamespace(outputs=[SimpleNamespace(array=self.answers)])

    def measure(
        self, inputs: Sequence[TensorRef], request: MeasureRequest, *, artifact: Any, **_: Any
    ) -> MeasureResult:
        self.requests.append((artifact.blob, request, tuple(inputs)))
        self.is_held = request.hold
        if self.error is not None:
            raise self.error
        factor = self.once if inputs[0].shape[0] == 1 and not request.outputs else 1.0
        runs = tuple(self._run(artifact.blob, request, factor) for _ in range(request.processes))
        weighed = tuple(
            MemoryRun(baseline_rss_bytes=100, peak_rss_bytes=200 + number, file_bytes=10, child=OK)
            for number in range(request.memory)
        )
        runtime = {"runtime": {"versions": {"litert": "2.3.0"}} if weighed else None}
        return MeasureResult(
            runs=runs,
            memory=weighed[0] if weighed else None,
            memories=weighed,
            environment_before=self._environment() | runtime,
            environment_after=self._environment() | runtime,
        )

    def _run(self, digest: str, request: MeasureRequest, factor: float) -> ProcessRun:
        number = self._done.get(digest, 0)
        self._done[digest] = number + 1
        child = self.ending.get(sum(self._done.values()) - 1, OK)
        if child.exit != "ok":
            return ProcessRun(import_ns=None, load_ns=None, first_ns=None, warmup_ns=(), samples_ns=(), child=child)
        call_ns = round(self.call_ns.get(digest, 1_000_000) * self.spread[number % len(self.spread)] * factor)
        before = self._conditions()
        self.now_ns += call_ns * request.samples
        work = round(50_000_000 * (self._work.popleft() if self._work else 1.0))
        return ProcessRun(
            import_ns=3_000_000,
            load_ns=2_000_000,
            first_ns=2 * call_ns,
            warmup_ns=(call_ns,) * request.warmup,
            samples_ns=tuple(call_ns + (number % 5 - 2) * call_ns // 100 for number in range(request.samples)),
            child=child,
            cold=True if request.cold else None,
            steady=None if request.steady_cap_s is None else self.steady,
            sentinel_ns=None if request.sentinel_rounds is None else (50_000_000, work),
            sentinel_rounds=None if request.sentinel_rounds is None else request.sentinel_rounds or 77,
            switches=0,
            before=before,
            after=self._conditions(),
            outputs_sha256="e" * 64 if request.outputs else None,
            outputs_each_sha256=self.outputs if request.outputs else (),
        )

    def _conditions(self) -> Conditions:
        """An idle machine, three seconds after the last look."""
        self.now_ns += 3_000_000_000
        ticks = self.now_ns // 10_000_000 * CORES
        return self.state(
            Conditions(
                monotonic_ns=self.now_ns,
                realtime_ns=self.now_ns + 10**18,
                cpu_ns=0,
                busy_ticks=0,
                all_ticks=ticks,
                swapped_pages=0,
                available_bytes=2**32,
                load=0.0,
                temperature_c=45.0,
                frequency_khz={str(core): 1_500_000 for core in range(CORES)},
                throttled=0,
            )
        )

    def _environment(self) -> dict[str, Any]:
        return {"boot_id": "b", "governor": "performance", "affinity": list(range(CORES))}


def busy(conditions: Conditions, share: float) -> Conditions:
    """The same moment of a machine on which others take this share of the cores."""
    assert conditions.all_ticks is not None
    return replace(conditions, busy_ticks=round(conditions.all_ticks * share))
