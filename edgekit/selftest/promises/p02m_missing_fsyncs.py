"""P2M: the experiment of P2 finds every fsync that an agent leaves out.

Injected: agents without one of their fsyncs each, and one that copies files over the old ones instead of renaming them.
Must hold: the power cuts of P2 find something wrong with each of these agents. So none of the fsyncs is one too many,
and the experiment can fail.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from edgekit.device.session import AgentProgram
from edgekit.selftest.lab import cutting, programs, recording, strace
from edgekit.selftest.lab.examiner import Examiner
from edgekit.selftest.lab.killing import NO_STRACE
from edgekit.selftest.promise import Lab, Outcome, Promise

_LEAST = 11
_LIMIT = 64


def run(lab: Lab) -> Outcome:
    """Break agents."""
    if not strace.is_there():
        return Outcome(cases=0, not_tried=(NO_STRACE,))
    mutations = [*programs.without_fsyncs(), programs.with_copies()]
    with recording.memory_folder(lab.folder) as folder:
        survivors = [
            f"{mutation.name}: no power cut finds anything wrong"
            for number, mutation in enumerate(mutations)
            if not is_found(programs.rewritten(mutation.changes), folder / str(number))
        ]
    return Outcome(cases=len(mutations), failures=tuple(survivors))


def is_found(program: AgentProgram, folder: Path) -> bool:
    """Whether the power cuts of P2 find something wrong with an agent; where most is found first."""
    folder.mkdir(parents=True)
    program = programs.without_models(program)
    wanted = replace(cutting.whole_story(program, folder, _LIMIT), stop=True, again=0)
    passes = (
        replace(wanted, only_answers=True),
        replace(wanted, only_act="collect"),
        replace(wanted, limit=_LIMIT // 4),
    )
    with Examiner(program.archive, folder / "examiner") as examiner:
        return any(examiner.search(one)["failures"] for one in passes)


PROMISE = Promise(
    id="P2M",
    title="An agent with one fsync less is found out",
    sample=_LEAST,
    full=_LEAST,
    run=run,
)
