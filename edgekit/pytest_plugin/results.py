"""What was measured, with asserts that tell the value, its interval and its flags when they fail."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from edgekit.core.errors import UsageError
from edgekit.core.measurement import Evaluation, Measurement, Provenance, Validity
from edgekit.core.units import format_ns
from edgekit.pytest_plugin.hints import hinted


class InconclusiveError(AssertionError):
    """What was measured does not settle whether the assert holds; `edgekit_inconclusive = skip` skips the test."""

    is_inconclusive = True


_MB = 1_000_000
_NS_PER_MS = 1_000_000


@dataclass(frozen=True, kw_only=True, repr=False)
class ProfileResult:
    """A measurement on a device.

    Attributes:
        document: what `edgekit profile --json` prints.
        measurement: the raw samples; None for a microcontroller board, whose instructions are counted instead.
    """

    document: Mapping[str, Any]
    measurement: Measurement | None

    def __repr__(self) -> str:
        middle = (self.document["latency_ns"] or {}).get("p50")
        found = "no latency" if middle is None else f"p50 {format_ns(middle)}"
        return f"<ProfileResult on {self._device}: {found}{self._flags}>"

    def assert_latency(
        self,
        *,
        p50_ms: float | None = None,
        p90_ms: float | None = None,
        p95_ms: float | None = None,
        p99_ms: float | None = None,
        emulated: bool = False,
    ) -> None:
        """Percentiles of the latency of one call are at most so many milliseconds, with their whole 95 % interval.

        An interval that contains the limit settles nothing, and neither does a measurement that is INVALID because the
        machine was busy; both are inconclusive. More processes make an interval narrower.

        Args:
            p50_ms, p90_ms, p95_ms, p99_ms: limits; at least one.
            emulated: hold the emulator's own time against the limit; it says nothing of the machine that it plays.

        Raises:
            AssertionError: a limit does not hold; InconclusiveError, which is one too, if that is not settled.
            UsageError: no limit is given, or the device is emulated and `emulated` is not set.
        """
        __tracebackhide__ = True
        given = {"p50": p50_ms, "p90": p90_ms, "p95": p95_ms, "p99": p99_ms}
        limits = {name: limit for name, limit in given.items() if limit is not None}
        if not limits:
            _refuse("assert_latency was given no limit", "give one, for example p90_ms=20")
        self._require_the_machines("latency", emulated)
        known, reasons = self.document["latency_ns"] or {}, self.document["latency_reasons"]
        for name, limit_ms in limits.items():
            what = f"the {name} latency of {self._device}"
            self._require_known(what, known.get(name), reasons.get(name, reasons.get("all")))
            if str(Validity.INVALID) in self.document["validity"]:
                raise InconclusiveError(f"{what} decides nothing, the measurement is INVALID{self._flags}")
            ends = self.document["latency_ci95"][name]
            _hold(what, known[name], ends, limit_ms * _NS_PER_MS, format_ns, flags=self._flags)

    def assert_memory(self, *, peak_mb: float, emulated: bool = False) -> None:
        """The peak of the process's resident memory is at most so many megabytes (1 MB = 1,000,000 bytes).

        The largest of the processes that were weighed counts.

        Args:
            peak_mb: the limit.
            emulated: hold the emulator's process against the limit.

        Raises:
            AssertionError: it is more; InconclusiveError if the range contains the limit, or nobody measured it.
            UsageError: the device is emulated and `emulated` is not set.
        """
        __tracebackhide__ = True
        self._require_the_machines("memory", emulated)
        memory = self.document.get("memory") or {"reason": "a board has no processes"}
        what, value = f"the peak memory of {self._device}", memory.get("peak_rss_bytes")
        self._require_known(what, value, memory["reason"])
        ends = memory["range_peak_rss_bytes"]
        _hold(what, memory["peak_rss_bytes"], ends, peak_mb * _MB, _megabytes, spread="range", flags=self._flags)

    def assert_instructions(self, *, at_most: float) -> None:
        """One call takes at most so many instructions, by the median of the calls that were counted.

        An emulator counts them exactly, so this needs no margin for noise and holds for the machine too.

        Raises:
            AssertionError: it takes more; InconclusiveError if nobody counted.
        """
        __tracebackhide__ = True
        counted = self.document.get("instructions") or (self.document.get("mcu") or {}).get("instructions")
        reason = self.document.get("instructions_reason") or 'the mode counts none, mode="default" does'
        what = f"the number of instructions of a call on {self._device}"
        self._require_known(what, counted, reason)
        assert counted is not None
        value, text = counted, ""  # of a board: its emulator counts one call, which is the same each time
        if isinstance(counted, Mapping):
            value = counted["value"]
            text = f" ({counted['low']:,} to {counted['high']:,} in {counted['calls']} calls, {counted['source']})"
        if value > at_most:
            raise AssertionError(f"{what} is {value:,}{text}, the limit is {at_most:,.0f}{self._flags}")

    @property
    def _device(self) -> str:
        return str(self.document["device"])

    @property
    def _flags(self) -> str:
        """The flags with their reasons, as the end of a message; empty for VALID."""
        doubts = self.document.get("doubts", ())
        told = [f"{doubt['flag']}: {doubt['reason']}" for doubt in doubts]
        explained = {doubt["flag"] for doubt in doubts} | {str(Validity.VALID)}
        told += [flag for flag in self.document["validity"] if flag not in explained]
        return f" [{'; '.join(told)}]" if told else ""

    def _require_the_machines(self, what: str, emulated: bool) -> None:
        __tracebackhide__ = True
        if self.document["provenance"] != str(Provenance.MEASURED) and not emulated:
            _refuse(
                f"the {what} of {self._device} is an emulator's and says nothing of the machine",
                "measure on the machine, with device=NAME in the marker edge; or assert instructions, which hold; "
                f"or pass emulated=True to hold the emulator's own {what} against the limit",
            )

    def _require_known(self, what: str, value: object, reason: str | None) -> None:
        __tracebackhide__ = True
        if value is None:
            raise InconclusiveError(f"{what} is not known: {reason}{self._flags}")


@dataclass(frozen=True, kw_only=True, repr=False)
class EvaluationResult:
    """Accuracy on a device.

    Attributes:
        document: what `edgekit evaluate --json` prints.
        evaluation: the same as a value.
    """

    document: Mapping[str, Any]
    evaluation: Evaluation

    def __repr__(self) -> str:
        return f"<EvaluationResult on {self.evaluation.device}: {self.evaluation.n:,} samples>"

    def assert_accuracy(self, at_least: float) -> None:
        """The accuracy, or the metric that was asked for, is at least this good, with its whole 95 % interval.

        Args:
            at_least: 0.95 is 95 %. Of an error, of which less is better, it is the most that it may be.

        Raises:
            AssertionError: it is not; InconclusiveError if the data set is too small to say, or has no labels.
        """
        __tracebackhide__ = True
        evaluation = self.evaluation
        found = evaluation.score or evaluation.accuracy
        if found is None:
            raise InconclusiveError(f"nobody knows how right {evaluation.device} is: the data have no labels")
        name = evaluation.score.metric if evaluation.score else "accuracy"
        what, ends = f"the {name} of {evaluation.device}", (found.low, found.high)
        if evaluation.score is not None and evaluation.score.lower_is_better:
            _hold(what, found.value, ends, at_least, _plain)
        else:
            _hold(what, found.value, ends, at_least, _plain, at_least=True)

    def assert_accuracy_drop(self, at_most: float) -> None:
        """The device answers at most so much worse than the float model on the same samples, with its 95 % interval.

        Args:
            at_most: in the metric's unit, 0.01 is one point of an accuracy.

        Raises:
            AssertionError: it loses more; InconclusiveError if the data set is too small to say.
            UsageError: nothing was compared: give `edge_evaluate` a reference.
        """
        __tracebackhide__ = True
        paired = self.evaluation.paired
        if paired is None:
            _refuse(
                f"nothing was compared with the answers of {self.evaluation.device}",
                "give edge_evaluate labelled data and reference=FLOAT_MODEL",
            )
        what = f"the drop of {paired.metric} from the float model to {self.evaluation.device}, {paired.n:,} samples,"
        _hold(what, paired.drop.value, (paired.drop.low, paired.drop.high), at_most, _plain)


def _hold(
    what: str,
    value: float,
    ends: Sequence[float] | None,
    limit: float,
    show: Callable[[float], str],
    *,
    spread: str = "95 % interval",
    flags: str = "",
    at_least: bool = False,
) -> None:
    """Raise unless the whole interval, or without one the value, is within the limit."""
    __tracebackhide__ = True
    low, high = ends or (value, value)
    holds, fails = (low >= limit, high < limit) if at_least else (high <= limit, low > limit)
    if holds:
        return
    within = f"{spread} {show(low)} to {show(high)}" if ends else f"no {spread}: there was one process"
    found, wanted = f"{what} is {show(value)} ({within})", f"{'at least' if at_least else 'at most'} {show(limit)}"
    if fails:
        raise AssertionError(f"{found}; it has to be {wanted}{flags}")
    raise InconclusiveError(f"{found}; this does not settle whether it is {wanted}{flags}")


def _plain(value: float) -> str:
    return f"{value:.4g}"


def _megabytes(size_bytes: float) -> str:
    return f"{size_bytes / _MB:.1f} MB"


def _refuse(message: str, hint: str) -> NoReturn:
    __tracebackhide__ = True
    with hinted():
        raise UsageError(message, hint=hint)
