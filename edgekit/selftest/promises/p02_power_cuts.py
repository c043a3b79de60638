"""P2: the power fails at any moment of an agent's work.

Injected: the system calls of a device's life (lab/acts.py) are recorded with strace; behind each call that changes
ROOT, every disk is laid out that a file system may leave then, by the rules of lab/crash_model.py: bytes that were not
fsynced are there, not there, half or zeros; changes to folders are there up to any one of them, or in any choice. Where
there are too many, a sample with a fixed seed. The same again where an agent was killed first, at any of its calls, and
another one has taken up its work.

Must hold, seen with the agent's own modules: `current` leads to a whole release, old or new; the device believes old or
new, rollback floor and history included, and new if the answer was out; all releases and runtimes that are listed are
whole; a recovery leaves nothing over, and (for every tenth disk) the act can be done again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from edgekit.selftest.lab import cutting, programs, recording, strace
from edgekit.selftest.lab.killing import NO_STRACE, spread
from edgekit.selftest.lab.power_cuts import Search
from edgekit.selftest.promise import Lab, Outcome, Promise

_SAMPLE, _FULL = 10_000, 100_000
_TWICE = ("first install", "upgrade", "rollback", "collect")
"""Acts in which an agent is killed before the power fails."""


def run(lab: Lab) -> Outcome:
    """Cut the power."""
    if not strace.is_there():
        return Outcome(cases=0, not_tried=(NO_STRACE,))
    program = programs.without_models()
    with recording.memory_folder(lab.folder) as folder:
        scenes = [scene for scene in recording.scenes(program, folder / "scenes") if scene.act.name in _TWICE]
        places = cutting.lasting_points(program, scenes, folder)
        chosen = spread(places, lab.many(12, len(places)))

        def wanted() -> Iterator[Search]:
            yield cutting.whole_story(program, folder, lab.many(30, 600))
            yield from cutting.after_kills(program, folder, chosen, lab.many(8, 60))

        found = cutting.search_all(program, folder, (replace(one, seed=lab.seed) for one in wanted()))
    return Outcome(
        cases=found.cases,
        failures=tuple(found.failures),
        facts={"moments": found.moments, "moments_seen_whole": found.exhausted, "killed_before": len(chosen)},
    )


PROMISE = Promise(
    id="P2",
    title="A device has the old release or the new one, whenever its power is cut",
    sample=_SAMPLE,
    full=_FULL,
    run=run,
)
