"""What is against a measurement, from its raw runs alone (edgekit-bench/1, D9)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from statistics import median
from typing import Any

from edgekit.core.measurement import Conditions, Doubt, Plan, ProcessRun, Validity
from edgekit.core.statistics import coefficient_of_variation, tukey
from edgekit.flows.measuring import looks
from edgekit.flows.measuring.preflight import BUSY_SHARE

NOISY_CV = 0.03
INVALID_CV = 0.10
SENTINEL_WARNS = 1.03
SENTINEL_DISTURBED = 1.10
_SEVERE_SHARE = 0.05
_FREQUENCY_DROP = 0.05
_HOT_C = 80.0
_SWITCHES_FACTOR = 10
_SWITCHES_PER_S = 20.0
"""More than a quiet machine's timers and kernel threads make; a process that shares the core makes hundreds."""

_CLOCK_STEP_S = 0.05
_SLEW = 0.001
"""Twice what NTP may slew a clock by (500 ppm, RFC 5905)."""

_LEAST_TICKS = 50
"""Half a second: less is not told apart from a single tick of 10 ms."""

_TIMER_FACTOR = 100


def doubts_after(
    runs: Sequence[ProcessRun],
    plan: Plan,
    *,
    preflight: Iterable[Doubt] = (),
    environments: Sequence[Mapping[str, Any]] = (),
    synthetic: bool = False,
    emulated: bool = False,
    differs_at: int | None = None,
) -> tuple[Doubt, ...]:
    """Every reason not to call the measurement valid; none means that it is.

    Args:
        runs: the processes that count, in the order in which they ran.
        plan: how they were measured.
        preflight: what was wrong before the start.
        environments: of the device, in the order in which it told them.
        synthetic: the inputs were random.
        emulated: an emulator ran them.
        differs_at: the first input whose outputs differ between processes, where that is known.
    """
    looked = [(run.before, run.after) for run in runs if run.before is not None and run.after is not None]
    found = [*preflight]
    found += _spread(runs)
    found += _sentinel(runs)
    found += _other_work(looked)
    found += _switches(runs)
    found += _machine(looked)
    found += _core_clock(looked, environments)
    found += _environment(environments)
    found += _calls(runs, plan, differs_at)
    if synthetic:
        found.append(Doubt(flag=Validity.SYNTHETIC, reason="the inputs were random"))
    if emulated:
        found.append(Doubt(flag=Validity.EMULATED, reason="an emulator ran it: its times do not speak of the machine"))
    return tuple(found)


def flags_of(doubts: Iterable[Doubt]) -> tuple[Validity, ...]:
    """The flags in the order of `Validity`; VALID alone without a doubt."""
    raised = {doubt.flag for doubt in doubts}
    return tuple(flag for flag in Validity if flag in raised) or (Validity.VALID,)


def is_disturbed(runs: Sequence[ProcessRun], best_sentinel_ns: int | None) -> bool:
    """Whether the fixed piece of work took more than 10 % longer than it can, in one of the runs."""
    times = [time for run in runs for time in run.sentinel_ns or ()]
    return bool(times) and max(times) > SENTINEL_DISTURBED * min([*times, *filter(None, [best_sentinel_ns])])


def _spread(runs: Sequence[ProcessRun]) -> Iterator[Doubt]:
    variation = coefficient_of_variation([median(run.samples_ns) for run in runs if run.samples_ns])
    if variation is None:
        yield Doubt(flag=Validity.NOISY, reason="one process says nothing about the next")
    elif variation > NOISY_CV:
        flag = Validity.INVALID if variation > INVALID_CV else Validity.NOISY
        yield Doubt(flag=flag, reason=f"the medians of the processes vary by {variation:.1%}")


def _sentinel(runs: Sequence[ProcessRun]) -> Iterator[Doubt]:
    times = [time for run in runs for time in run.sentinel_ns or ()]
    if not times:
        return
    slow = max(times) / min(times)
    if slow > SENTINEL_WARNS:
        flag = Validity.THROTTLED if slow > SENTINEL_DISTURBED else Validity.NOISY
        yield Doubt(flag=flag, reason=f"a fixed piece of work took up to {slow - 1:.0%} longer than at its best")


def _other_work(looked: Sequence[tuple[Conditions, Conditions]]) -> Iterator[Doubt]:
    known = [(looks.others_share(*pair), looks.ticks(*pair)) for pair in looked]
    shares = [(share, ticks) for share, ticks in known if share is not None]
    if not shares:
        yield Doubt(flag=Validity.NOISY, reason="the device tells no CPU times, so other work would not be seen")
        return
    total = sum(ticks for _, ticks in shares)
    long_enough = [share for share, ticks in shares if ticks >= _LEAST_TICKS]
    if total >= _LEAST_TICKS:
        long_enough.append(sum(share * ticks for share, ticks in shares) / total)
    if long_enough and max(long_enough) > BUSY_SHARE:
        yield Doubt(flag=Validity.NOISY, reason=f"other work took up to {max(long_enough):.0%} of the cores meanwhile")


def _switches(runs: Sequence[ProcessRun]) -> Iterator[Doubt]:
    counted = [(run.switches, sum(run.samples_ns) * run.batch / 1e9) for run in runs if run.switches is not None]
    if not counted:
        return
    rates = [switches / max(spent, 1.0) for switches, spent in counted]
    usual = median(rates)
    if max(rates) > max(_SWITCHES_PER_S, _SWITCHES_FACTOR * usual) or usual > _SWITCHES_PER_S:
        reason = f"the system took the core away up to {max(rates):.0f} times a second"
        yield Doubt(flag=Validity.NOISY, reason=reason)


def _machine(looked: Sequence[tuple[Conditions, Conditions]]) -> Iterator[Doubt]:
    if not looked:
        return
    every = [one for pair in looked for one in pair]
    hottest = max((one.temperature_c for one in every if one.temperature_c is not None), default=None)
    if hottest is not None and hottest >= _HOT_C:
        yield Doubt(flag=Validity.THROTTLED, reason=f"it got {hottest:.0f} C hot")
    bits = {name: None for one, other in pairwise(every) for name in looks.throttling(one, other)}
    if bits:
        yield Doubt(flag=Validity.THROTTLED, reason=f"the firmware says {', '.join(bits)}")
    if (pages := sum(max(0, looks.swapped_pages(one, other)) for one, other in pairwise(every))) > 0:
        yield Doubt(flag=Validity.NOISY, reason=f"{pages} pages were swapped")
    steps = [
        looks.clock_step_s(one, other)
        for one, other in pairwise(every)
        if abs(looks.clock_step_s(one, other)) > _CLOCK_STEP_S + _SLEW * looks.seconds(one, other)
    ]
    if steps:
        yield Doubt(flag=Validity.NOISY, reason=f"the wall clock was set by {max(steps, key=abs):+.2f} s")


def _core_clock(
    looked: Sequence[tuple[Conditions, Conditions]], environments: Sequence[Mapping[str, Any]]
) -> Iterator[Doubt]:
    """Frequencies right behind the work: before it a core may idle at a low one.

    A board, which has a device tree, reaches its highest frequency whenever it works; what a PC calls its highest one
    is a turbo clock that it rarely holds, so there only changes count.
    """
    known = [khz for _, after in looked if (khz := looks.fastest_khz(after)) is not None]
    told = [environment.get("frequency_max_khz") for environment in environments if environment.get("board")]
    limits = [khz for khz in told if isinstance(khz, int)]
    if known and min(known) < (1 - _FREQUENCY_DROP) * max(known + limits):
        reason = f"the cores ran at {min(known) / 1000:.0f} MHz, they can do {max(known + limits) / 1000:.0f}"
        yield Doubt(flag=Validity.THROTTLED, reason=reason)


def _environment(environments: Sequence[Mapping[str, Any]]) -> Iterator[Doubt]:
    boots = {environment.get("boot_id") for environment in environments} - {None}
    if len(boots) > 1:
        yield Doubt(flag=Validity.INVALID, reason="the device was started again meanwhile")
    governors = {str(environment.get("governor")) for environment in environments}
    if len(governors) > 1:
        yield Doubt(flag=Validity.NOISY, reason=f"the governor changed: {', '.join(sorted(governors))}")


def _calls(runs: Sequence[ProcessRun], plan: Plan, differs_at: int | None) -> Iterator[Doubt]:
    restless = sum(run.steady is False for run in runs)
    if restless:
        reason = f"the warm-up of {restless} of {len(runs)} processes never became steady"
        yield Doubt(flag=Validity.UNSTEADY, reason=reason)
    if not plan.own_input and len({run.outputs_sha256 for run in runs} - {None}) > 1:
        first = "" if differs_at is None else f", first for input {differs_at}"
        reason = f"the processes gave different outputs for the same inputs{first}"
        yield Doubt(flag=Validity.NONDETERMINISTIC, reason=reason)
    samples = [time for run in runs for time in run.samples_ns]
    if samples:
        _, severe = tukey(samples)
        if severe > _SEVERE_SHARE * len(samples):
            reason = f"{severe / len(samples):.0%} of the samples are severe outliers"
            yield Doubt(flag=Validity.NOISY, reason=reason)
    coarse = [run for run in runs if run.batch == 1 and run.timer_ns and _is_coarse(run)]
    if coarse:
        reason = f"to read the clock takes {coarse[0].timer_ns} ns, a call {median(coarse[0].samples_ns):.0f} ns"
        yield Doubt(flag=Validity.NOISY, reason=reason)


def _is_coarse(run: ProcessRun) -> bool:
    assert run.timer_ns is not None
    return bool(run.samples_ns) and median(run.samples_ns) < _TIMER_FACTOR * run.timer_ns
