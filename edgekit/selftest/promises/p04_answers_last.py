"""P4: what the agent has answered is still true when the power fails in that instant.

Injected: as in P2, right behind the answer to each act, but many more disks for each; also where an agent was killed
before, at any call of the same act, so that the one that answers finds work half done in the kernel's memory.

Must hold: the device believes what was answered, no less; everything else as in P2.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from edgekit.selftest.lab import cutting, programs, recording, strace
from edgekit.selftest.lab.killing import NO_STRACE, spread
from edgekit.selftest.lab.power_cuts import Search
from edgekit.selftest.promise import Lab, Outcome, Promise

_SAMPLE, _FULL = 500, 5000
_ACTS = ("upgrade", "rollback")


def run(lab: Lab) -> Outcome:
    """Cut the power behind answers."""
    if not strace.is_there():
        return Outcome(cases=0, not_tried=(NO_STRACE,))
    program = programs.without_models()
    with recording.memory_folder(lab.folder) as folder:
        scenes = [scene for scene in recording.scenes(program, folder / "scenes") if scene.act.name in _ACTS]
        places = cutting.lasting_points(program, scenes, folder)
        chosen = spread(places, lab.many(12, len(places)))
        limit = lab.many(200, 4000)

        def wanted() -> Iterator[Search]:
            yield cutting.whole_story(program, folder, limit)
            yield from cutting.after_kills(program, folder, chosen, limit)

        answers = (replace(one, only_answers=True, only_last=False, seed=lab.seed) for one in wanted())
        found = cutting.search_all(program, folder, answers)
    return Outcome(
        cases=found.cases,
        failures=tuple(found.failures),
        facts={"answers": found.moments, "answers_seen_whole": found.exhausted, "killed_before": len(chosen)},
    )


PROMISE = Promise(
    id="P4",
    title="What a device has answered outlasts a power cut",
    sample=_SAMPLE,
    full=_FULL,
    run=run,
)
