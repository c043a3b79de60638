"""P1: the agent is killed at every system call that touches its ROOT.

Injected: strace delivers SIGKILL at the n-th call of a name, in each act of a device's life (lab/acts.py: first
install, upgrade, the same again, a runtime, an upload that resumes, rollback, a refused release, one that is undone,
collect); and SIGTERM, SIGINT, SIGHUP at calls that change something. The agent is the real one, started by its
bootstrap; golden runs are stood in for (lab/programs.py), what models do is the business of P8 and P20.

Must hold: programs that follow `current` find the old release or the new one, whole; the device believes old or new,
and new if it has answered; an agent that comes later recovers, leaves no temporary file, finds the lock free, and ends
where the first would have ended.
"""

from __future__ import annotations

import signal

from edgekit.selftest.lab import programs, recording, strace
from edgekit.selftest.lab.killing import NO_STRACE, Bench, Point, kill, on_benches, points, spread
from edgekit.selftest.promise import Lab, Outcome, Promise

_SAMPLE, _FULL = 288, 1000
_CHANGING = 240
"""Of the sample, calls that change something."""
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_SIGNALLED = 20


def run(lab: Lab) -> Outcome:
    """Kill agents."""
    if not strace.is_there():
        return Outcome(cases=0, not_tried=(NO_STRACE,))
    program = programs.without_models()
    with recording.memory_folder(lab.folder) as folder:
        scenes = recording.scenes(program, folder / "scenes")
        found = [point for scene in scenes for point in points(program, scene, folder)]
        changing = [point for point in found if point.call.is_changing]
        looking = [point for point in found if not point.call.is_changing]
        kills = spread(changing, lab.many(_CHANGING, len(changing)))
        kills += spread(looking, lab.many(_SAMPLE - _CHANGING, len(looking)))
        jobs = [(point, signal.SIGKILL) for point in kills]
        jobs += [
            (point, number) for number in _SIGNALS for point in spread(changing, lab.many(_SIGNALLED, len(changing)))
        ]

        def work(bench: Bench, job: tuple[Point, signal.Signals]) -> list[str] | None:
            return kill(bench, *job)

        results = list(on_benches(program, folder, jobs, work))
    struck = [(job, wrong) for job, wrong in results if wrong is not None]
    failures = [f"{number.name} at {point.name}: {one}" for (point, number), wrong in struck for one in wrong]
    return Outcome(
        cases=len(struck),
        failures=tuple(failures),
        facts={
            "calls": len(found),
            "changing_calls": len(changing),
            "acts": len(scenes),
            "killed": sum(number is signal.SIGKILL for (_, number), _ in struck),
            "ended_before": len(results) - len(struck),
        },
    )


PROMISE = Promise(
    id="P1",
    title="A device has the old release or the new one, wherever its agent is killed",
    sample=_SAMPLE,
    full=_FULL,
    run=run,
)
