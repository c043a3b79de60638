"""P22: a hostile device cannot hurt the host that talks to it.

Injected: replies of every verb, recorded from a real agent, with bits flipped, cut, doubled, reordered, and with single
values replaced by numbers that are none, escape sequences, paths and texts of 300 kB; floods of lines, of frames of 4
GiB, of nested JSON, and of error output. The host's part runs in a process of its own.
Must hold: each ends in an answer or in a typed error whose words can be printed; the process grows by 64 MiB at most,
opens no file for writing, and leaves no thread behind.
"""

from __future__ import annotations

import json
import subprocess
import sys

from edgekit.selftest.promise import Lab, Outcome, Promise

_LIMIT_S = 3000.0


def _run(lab: Lab) -> Outcome:
    count = lab.many(5000, 50_000)
    (lab.folder / "empty").mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "edgekit.selftest.lab.hostile_host", str(lab.folder), str(lab.seed), str(count)],
        cwd=lab.folder / "empty",
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=_LIMIT_S,
        check=False,
    )
    if done.returncode != 0:
        last = done.stderr.decode("utf-8", "replace")[-500:]
        return Outcome(cases=0, failures=(f"the host's process ended with {done.returncode}: {last}",))
    found = json.loads(done.stdout)
    failures = list(found["failures"])
    if done.stderr:
        failures.append(f"it wrote on stderr: {done.stderr[:200]!r}")
    if left := [path.name for path in (lab.folder / "empty").iterdir()]:
        failures.append(f"files are left: {left}")
    return Outcome(cases=found["cases"], failures=tuple(failures), facts=found["facts"])


PROMISE = Promise(
    id="P22",
    title="A hostile device gets a typed error, and neither memory, files nor the terminal of the host",
    sample=5000,
    full=50_000,
    run=_run,
)
