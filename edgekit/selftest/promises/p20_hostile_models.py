"""P20: whatever a model does, the agent lives, says what it did, and nothing of it is left.

Injected, on this computer, through the agent's `infer` and its limited child: damaged copies of good .tflite, .pte and
.ptl models (bits, numbers, copied, lost and added pieces, at any place and within whole archives); crafted models
(indices that are not there, division by zero, gigabytes and pebibytes, loops without end, graphs that run themselves,
programs that jump back, TorchScript that reads and writes files); and, for what a model could do that has taken its
runtime over, a runtime that leaves processes behind, forks, starts threads to the limit, floods its stderr, lies in
its answer, stops, ignores signals, and connects.

Must hold after each: the same agent answers; it has named the end, as an error, a crash with its signal, a time-out or
a lack of memory, with a code that blames the model; no process of it is left, also none that moved to a session of its
own; there is no new file in the agent's folders. Good models answer, or the experiment would prove nothing.

Code that runs in the model's process runs as the agent's user, and may do to that user's files what the user may;
docs/security.md says so. What is tried here is that models do not get that far, and that the agent outlives it.
"""

from __future__ import annotations

import select
import socket
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from edgekit.core.errors import EdgekitError
from edgekit.selftest.lab.assailed_agent import ENDS, AssailedAgent
from edgekit.selftest.lab.damage import damaged
from edgekit.selftest.lab.hostile_models import HostileModel, hostile_models
from edgekit.selftest.lab.hostile_runner import ACTIONS
from edgekit.selftest.lab.native_runner import native_runner
from edgekit.selftest.promise import Lab, Outcome, Promise, Scale

_RUNTIMES = {"tflite": "litert", "pte": "executorch", "ptl": "torch_mobile"}
_DAMAGED: Mapping[str, tuple[int, int]] = {"tflite": (120, 2000), "pte": (120, 2000), "ptl": (6, 2000)}
"""How many damaged models of each format a sample has, and all: to import torch costs a child two seconds."""

_FULL_ONLY = frozenset(
    f"ptl/{name}" for name in ("print_without_end", "list_without_end", "read_a_file", "view_beyond")
)

_WORKERS = 2
_PATIENCE_S, _ACTION_S = 60.0, 3.0
_LOOP_S = {"tflite": 3.0, "pte": 3.0, "ptl": 8.0}
_ACTION_ENDS: Mapping[str, frozenset[str]] = {
    "leave_children": frozenset({"ok"}),
    "leave_the_session": frozenset({"ok"}),
    "fork_often": frozenset({"ok", "error"}),
    "start_threads": frozenset({"error", "oom"}),
    "flood_stderr": frozenset({"ok"}),
    "connect": frozenset({"error"}),
    "eat_memory": frozenset({"oom"}),
    "open_files": frozenset({"error"}),
    "ignore_signals": frozenset({"timeout"}),
    "stop": frozenset({"timeout"}),
    "kill_its_group": frozenset({"oom"}),  # SIGKILL from anywhere is what a lack of memory looks like
    "close_everything": frozenset({"timeout"}),
    "exit": frozenset({"error"}),
    "abort": frozenset({"signal"}),
    "segfault": frozenset({"signal"}),
    "divide_by_zero": frozenset({"signal"}),
}
"""How the runtime's actions end; those that lie in their answer end as errors."""


@dataclass(frozen=True, kw_only=True)
class _Attack:
    """One hostile model.

    Attributes:
        name: for the report; with the seed it is enough to make a damaged model again.
        format, runtime: how it is run.
        data: its bytes.
        inputs: shape and dtype of each.
        ends: how it may end.
        timeout_s: how long it may take.
    """

    name: str
    format: str
    runtime: str
    data: bytes
    inputs: Sequence[tuple[Sequence[int], str]]
    ends: frozenset[str]
    timeout_s: float


def _of_format(models: Sequence[HostileModel], form: str, lab: Lab) -> Iterator[_Attack]:
    runtime = _RUNTIMES[form]
    mine = [model for model in models if model.format == form]
    seeds = [model for model in mine if model.is_seed]
    for model in mine:
        if model.name in _FULL_ONLY and lab.scale is Scale.SAMPLE:
            continue
        limit = _LOOP_S[form] if "timeout" in model.ends else _PATIENCE_S
        yield _Attack(
            name=model.name,
            format=form,
            runtime=runtime,
            data=model.data,
            inputs=model.inputs,
            ends=model.ends,
            timeout_s=limit,
        )
    wanted = lab.many(*_DAMAGED[form])
    for place, seed in enumerate(seeds):
        share = wanted // len(seeds) + (place < wanted % len(seeds))
        for number, data in enumerate(damaged(seed.data, share, lab.seed)):
            yield _Attack(
                name=f"{seed.name}, damaged {number}",
                format=form,
                runtime=runtime,
                data=data,
                inputs=seed.inputs,
                ends=ENDS,
                timeout_s=_PATIENCE_S,
            )


def _actions(port: int) -> Iterator[_Attack]:
    for name in ACTIONS:
        word = f" 127.0.0.1:{port}" if name == "connect" else ""
        ends = _ACTION_ENDS.get(name, frozenset({"error"}))
        yield _Attack(
            name=f"runtime: {name}",
            format="hostile",
            runtime="hostile",
            data=(name + word).encode(),
            inputs=[((1, 4), "float32")],
            ends=ends,
            timeout_s=_ACTION_S if "timeout" in ends else _PATIENCE_S,
        )


def _run(lab: Lab) -> Outcome:
    attacks, missing = list[_Attack](), list[str]()
    path: list[Path] = []
    try:
        path = [native_runner(lab.folder / "native")]
    except EdgekitError as refusal:
        missing.append(f"the native runner of .pte programs: {refusal.message} ({refusal.hint})")
    models = hostile_models()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        attacks += _actions(listener.getsockname()[1])
        with AssailedAgent(lab.folder / "asked", python_path=path) as agent:
            if open_because := agent.network():
                missing.append(f"a model that connects: {open_because}")
                attacks = [attack for attack in attacks if not attack.name.endswith(": connect")]
            for form, runtime in _RUNTIMES.items():
                if why := "no native runner" if form == "pte" and not path else agent.works(runtime):
                    missing.append(f"{form} models: {runtime} does not work here: {why}")
                else:
                    attacks += _of_format(models, form, lab)
        stopping = threading.Event()
        with ThreadPoolExecutor(_WORKERS) as pool:
            tasks = [
                pool.submit(_assail, lab.folder / f"agent-{worker}", attacks[worker::_WORKERS], path, stopping)
                for worker in range(_WORKERS)
            ]
            try:
                found = [one for task in tasks for one in task.result()]
            finally:
                stopping.set()  # somebody has pressed Ctrl-C, or all is done
        connected = bool(select.select([listener], [], [], 0)[0])
    failures = [f"{attack.name}: {wrong}" for attack, _, wrong in found if wrong]
    if connected:
        failures.append("runtime: connect: it reached this computer's network")
    ends = Counter(f"{attack.format}_{end}" for attack, end, _ in found)
    return Outcome(
        cases=len(found), failures=tuple(failures), facts=dict(sorted(ends.items())), not_tried=tuple(missing)
    )


def _assail(
    folder: Path, attacks: Sequence[_Attack], path: Sequence[Path], stopping: threading.Event
) -> list[tuple[_Attack, str, str]]:
    """Each attack with its end and what is wrong; one agent for all, unless it dies."""
    found: list[tuple[_Attack, str, str]] = []
    rest, agents = list(attacks), 0
    while rest and not stopping.is_set():
        agents += 1
        with AssailedAgent(folder / str(agents), python_path=path) as agent:
            while rest and not stopping.is_set():
                attack = rest.pop(0)
                try:
                    end, wrong = agent.assail(
                        attack.data,
                        runtime=attack.runtime,
                        format_=attack.format,
                        inputs=attack.inputs,
                        timeout_s=attack.timeout_s,
                    )
                except (AssertionError, OSError) as gone:
                    found.append((attack, "agent", f"the agent is gone: {gone}"))
                    break
                if not wrong and end not in attack.ends:
                    wrong = f"it ended with {end}, not {' or '.join(sorted(attack.ends))}"
                found.append((attack, end, wrong))
    return found


PROMISE = Promise(
    id="P20",
    title="A hostile model cannot take down or escape the agent",
    sample=300,
    full=6000,
    run=_run,
)
