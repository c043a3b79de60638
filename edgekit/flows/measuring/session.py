"""A device held for one session: processes in turn, disturbed ones again, then memory and what else is counted."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from types import TracebackType
from typing import Any, Self

from edgekit.core.device_entry import DeviceEntry
from edgekit.core.errors import DeviceError, EdgekitError, MeasurementError
from edgekit.core.events import ignore
from edgekit.core.measurement import Conditions, Doubt, Measurement, Plan, ProcessRun, Validity
from edgekit.core.statistics import coefficient_of_variation, median_interval
from edgekit.device.client import DeviceClient, RunOptions
from edgekit.device.measured import MeasureRequest, MeasureResult
from edgekit.device.replies import ProbeResult
from edgekit.device.tensors import TensorRef
from edgekit.flows.measuring.checks import (
    REPEATED_PROCESSES,
    REPEATED_SAMPLES,
    REPEATED_SECONDS,
    SPOT_INPUTS,
    can_be_repeated,
    first_difference,
    outputs_each_sha256,
    repeated,
)
from edgekit.flows.measuring.preflight import LOOK_S, disk, doubts_before, heat
from edgekit.flows.measuring.side import NOT_ASKED, Side, memory_of, process_run
from edgekit.flows.measuring.start import keep_start, kept_start
from edgekit.flows.measuring.validity import INVALID_CV, NOISY_CV, is_disturbed
from edgekit.flows.workspace import Workspace

WEIGHED = 3
"""Processes whose memory is measured."""

_RETRIES = 2
_HOPELESS_AFTER = 20
_UNSTEADY_CAP_S = 5.0
"""Where one warm-up has not become steady within the plan's limit, the others get so long: it is flagged anyway."""

_PROCESS_BYTES = 96 * 1024 * 1024
"""A Python with NumPy and a runtime, before the model."""


class MeasuringSession:
    """Measures sides on a device that nobody else may use meanwhile. Use it as a context manager.

    Args:
        device: connected; it has the subjects and their runtime.
        entry: the device.
        plan: how to measure; a plan without cores gets all but the first one (edgekit-bench/1, D3).
        sides: what is measured.
        tools: listener.
    """

    def __init__(
        self, device: DeviceClient, entry: DeviceEntry, plan: Plan, sides: Sequence[Side], tools: Workspace
    ) -> None:
        self._device = device
        self._entry = entry
        self._plan = plan
        self._sides = sides
        self._tools = tools
        self._doubts: tuple[Doubt, ...] = ()
        self._looked: tuple[Conditions, ...] = ()
        self._rounds = 0
        self._steady_cap_s = plan.steady_cap_s
        self._best_sentinel_ns: int | None = None
        self._retries = _RETRIES if plan.window_s is None else 0  # a sustained run is there to see the machine give in
        self._discarded = 0
        self._is_held = False

    def __enter__(self) -> Self:
        if not self._plan.is_brief:
            self._preflight()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._is_held and isinstance(error, EdgekitError):
            with suppress(EdgekitError):  # a connection that broke let go of the device by that
                self._request(self._sides[0], MeasureRequest(processes=0, warmup=0, samples=1, min_seconds=0, memory=0))

    def all_at_once(self) -> None:
        """Every process of the plan in one request, as it is; only the first side."""
        (side,) = self._sides
        plan = self._plan
        request = MeasureRequest(
            processes=plan.processes, warmup=plan.warmup, samples=plan.samples, min_seconds=plan.min_seconds
        )
        result = self._request(side, request)
        names = [f"process {number} of {len(result.runs)}" for number in range(1, len(result.runs) + 1)]
        side.runs += [process_run(run, name) for run, name in zip(result.runs, names, strict=True)]
        self._weigh(side, result)

    def block(self, order: Sequence[Side]) -> None:
        """One fresh process of each side in this order; all again where the machine was disturbed meanwhile."""
        while True:
            taken: list[tuple[Side, ProcessRun]] = []
            for side in order:
                number = len(side.runs) + sum(other is side for other, _ in taken)
                taken.append((side, self._process(side, number)))
            if not self._retries or not is_disturbed([run for _, run in taken], self._best_sentinel_ns):
                break
            self._retries -= 1
            self._discarded += len(order)
            self._tools.tell("profile", "the device was disturbed, measuring again")
            self._cool_down()
        for side, run in taken:
            side.runs.append(run)
            self._best_sentinel_ns = min(filter(None, [self._best_sentinel_ns, *(run.sentinel_ns or ())]), default=None)

    def until_narrow(self, side: Side) -> None:
        """Processes of one side until the interval of its median is narrow enough."""
        least = self._plan.processes
        most = max(least, self._plan.most_processes or least)
        while len(side.runs) < least or (len(side.runs) < most and not self._is_settled(side)):
            done = len(side.runs)
            self._tools.tell("profile", "measuring", done=done, total=least if done < least else most)
            self.block([side])

    def finish(self) -> tuple[Measurement, ...]:
        """Weigh each side, count what the plan asks for, let go of the device; one measurement a side."""
        plan = self._plan
        for place, side in enumerate(self._sides):
            if self._is_held:
                self._compare_answers(side)
                request = MeasureRequest(
                    processes=0,
                    warmup=plan.warmup,
                    samples=plan.samples,
                    min_seconds=0.0,
                    hold=place + 1 < len(self._sides),
                    memory=WEIGHED,
                    affinity=plan.affinity,
                    operators=plan.operators,
                    instructions=plan.instructions,
                )
                result = self._request(side, request)
                self._weigh(side, result)
                side.operators, side.instructions = result.operators, result.instructions
                side.operators_reason = result.operators_reason if plan.operators else NOT_ASKED
                side.instructions_reason = result.instructions_reason if plan.instructions else NOT_ASKED
        return tuple(
            side.measurement(
                self._entry,
                plan,
                preflight=self._doubts,
                looked=self._looked,
                discarded=self._discarded,
                agent=self._device.hello.agent,
            )
            for side in self._sides
        )

    def repeat_one_input(self, side: Side) -> None:
        """Time one input again and again, where that tells something (MLPerf Inference's TEST04)."""
        doubts = side.doubts(self._entry, self._plan, self._doubts)
        mode, is_emulated = self._plan.mode, self._entry.is_emulated
        reason = can_be_repeated(side.runs, doubts, mode=mode, is_emulated=is_emulated)
        if reason is not None or not side.once:
            return
        request = MeasureRequest(
            processes=1,
            warmup=self._plan.warmup,
            samples=min(self._plan.samples, REPEATED_SAMPLES),
            min_seconds=min(self._plan.min_seconds, REPEATED_SECONDS),
            hold=True,
            memory=0,
            steady_cap_s=self._steady_cap_s,
            batch_ns=self._plan.batch_ns,
            sentinel_rounds=self._rounds if self._plan.sentinel else None,
            affinity=self._plan.affinity,
        )
        self._tools.tell("profile", "measuring one input again and again")
        again = [
            process_run(self._request(side, request, inputs=side.once).runs[0], f"process {number + 1} of one input")
            for number in range(REPEATED_PROCESSES)
        ]
        found = repeated(side.runs, again, seed=self._plan.seed)
        side.checks["one_input"] = asdict(found) | {
            "medians_ns": list(found.medians_ns),
            "samples_ns": [list(run.samples_ns) for run in again],
        }
        side.check_doubts += found.doubts()

    def _compare_answers(self, side: Side) -> None:
        """Run the first inputs as `edgekit evaluate` does: the same artifact has to give the same outputs."""
        if not side.spot or not side.outputs:
            return
        plan, n = self._plan, min(SPOT_INPUTS, side.spot[0].shape[0])
        options = RunOptions(threads=plan.threads, timeout_s=plan.timeout_s, seed=plan.seed, kernels=plan.kernels)
        try:
            told = self._device.evaluate(side.spot, artifact=side.subject.reference(), options=options)
        except DeviceError as error:  # the times stand; that nothing was compared is said
            side.checks["accuracy_run"] = {"inputs": 0, "reason": str(error)}
            return
        found = outputs_each_sha256([output.array for output in told.outputs], n)
        differs = first_difference(side.outputs[0], found)
        side.checks["accuracy_run"] = {"inputs": n, "outputs_sha256": list(found), "first_difference": differs}
        if differs is not None:
            reason = f"an accuracy run gave another output than the timing, first for input {differs} of {n}"
            side.check_doubts.append(Doubt(flag=Validity.NONDETERMINISTIC, reason=reason))

    def _process(self, side: Side, number: int) -> ProcessRun:
        plan = self._plan
        request = MeasureRequest(
            processes=1,
            warmup=plan.warmup,
            samples=plan.samples,
            min_seconds=plan.min_seconds,
            hold=True,
            memory=0,
            steady_cap_s=self._steady_cap_s,
            batch_ns=plan.batch_ns,
            sentinel_rounds=self._rounds if plan.sentinel else None,
            cold=number % 2 == 0,
            affinity=plan.affinity,
            stages=plan.stages,
            outputs=not plan.own_input,
            window_s=plan.window_s,
        )
        result = self._request(side, request, number)
        run = process_run(result.runs[0], f"process {number + 1}")
        if told := result.runs[0].outputs_each_sha256:
            side.outputs.append(told)
        self._rounds = run.sentinel_rounds or self._rounds
        if run.steady is False:
            self._steady_cap_s = min(self._steady_cap_s or _UNSTEADY_CAP_S, _UNSTEADY_CAP_S)
        return run

    def _request(
        self, side: Side, request: MeasureRequest, number: int = 0, inputs: Sequence[TensorRef] | None = None
    ) -> MeasureResult:
        plan = self._plan
        result = self._device.measure(
            inputs or side.inputs_of(number),
            request,
            artifact=side.subject.reference(),
            options=RunOptions(threads=plan.threads, timeout_s=plan.timeout_s, seed=plan.seed, kernels=plan.kernels),
            on_event=self._tools.on_event if plan.is_brief else ignore,
        )
        self._is_held = request.hold
        side.environments += [result.environment_before, result.environment_after]
        return result

    def _weigh(self, side: Side, result: MeasureResult) -> None:
        for weighed in map(memory_of, result.memories):
            if isinstance(weighed, str):
                side.memory_reason = weighed
            else:
                side.memories.append(weighed)

    def _is_settled(self, side: Side) -> bool:
        medians, plan = side.medians, self._plan
        interval, variation = median_interval(medians, seed=plan.seed), coefficient_of_variation(medians)
        if interval is None or variation is None:
            return False
        if variation > INVALID_CV and len(medians) >= _HOPELESS_AFTER:
            return True
        return variation <= NOISY_CV and interval.high - interval.low <= 2 * plan.half_width * interval.value

    def _preflight(self) -> None:
        need_bytes = _PROCESS_BYTES + 2 * max(side.subject.size_bytes for side in self._sides)
        usual_c = kept_start(self._entry.name)
        first, second = self._cool_down(usual_c)
        self._looked = tuple(probed.conditions for probed in (first, second) if probed.conditions is not None)
        self._doubts = doubts_before(first.conditions, second.conditions, need_bytes=need_bytes, usual_c=usual_c)
        self._doubts += disk(self._device.status().free_bytes)
        start_c = None if second.conditions is None else second.conditions.temperature_c
        if usual_c is None and start_c is not None and not self._doubts:
            with suppress(EdgekitError):  # a note for the next measurement; this one needs no folder
                keep_start(self._entry.name, start_c)
        if self._doubts and self._plan.strict:
            raise MeasurementError(
                f"{self._entry.name} is not fit to be measured: {'; '.join(doubt.reason for doubt in self._doubts)}",
                hint="stop what else runs there, let it cool down, or leave out --strict-env",
                doubts=[vars(doubt) for doubt in self._doubts],
            )
        if not self._plan.affinity:
            self._plan = replace(self._plan, affinity=_cores(second.environment, self._plan.threads))

    def _cool_down(self, usual_c: float | None = None) -> tuple[ProbeResult, ProbeResult]:
        """Look twice, and again while the device is hot and the plan's wait lasts; the last two looks."""
        end = time.monotonic() + self._plan.wait_s
        while True:
            first = self._device.probe([])
            time.sleep(LOOK_S)
            second = self._device.probe([])
            hot = heat(first.conditions, second.conditions, usual_c) if first.conditions and second.conditions else ()
            if not hot or time.monotonic() >= end:
                return first, second
            self._tools.tell("wait", hot[0].reason)


def _cores(environment: Mapping[str, Any], threads: int) -> tuple[int, ...]:
    """All usable cores but the first one, which serves interrupts; none where that leaves too few."""
    usable = environment.get("affinity")
    cores = tuple(core for core in usable if type(core) is int)[1:] if isinstance(usable, list) else ()
    return cores if len(cores) >= threads else ()
