"""Candidates for tests of a search's run: a file where the model would be says what they do to each trial."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit.config.targets import load_target
from edgekit.core.digest import sha256_bytes
from edgekit.core.errors import InputError, InterruptedByUserError, NetworkError, StorageError
from edgekit.core.search.goals import Goal
from edgekit.core.search.space import Choice, Parameter
from edgekit.core.search.trial import Outcome, State
from edgekit.engines._base import Asked, Study
from edgekit.flows.request import CompileRequest
from edgekit.flows.searching.budget import Budget
from edgekit.flows.searching.planned import Planned
from edgekit.flows.searching.request import SearchRequest
from edgekit.flows.searching.run import SearchRun, search
from edgekit.flows.searching.tools import Tools

GOALS = (Goal(metric="accuracy"), Goal(metric="size_bytes"))


def opens(
    folder: Path, *, trials: int | None = None, script: dict[str, Any] | None = None, **asked: Any
) -> SearchRequest:
    """A request whose candidate does what a script says.

    Args:
        folder: of the test; the study is `folder/study`, what was tried is in `folder/tried.jsonl`.
        trials: see `SearchRequest`.
        script: by what is done ("dies", "hangs", "raises", "loses_device", "fills_disk"), the numbers of trials with
            the attempts at which it is done; "refuses_to_open": a message; "waits_for": a file that every trial waits
            for; "device": whether trials hold one; "dead_devices": those that never answer; "pause_s": of each trial.
        asked: more of the request.
    """
    model = folder / "script.json"
    if script is not None or not model.exists():
        model.write_text(json.dumps(script or {}))
    return SearchRequest(
        compile=CompileRequest(model=model, target=load_target("rpi4")), folder=folder / "study", trials=trials, **asked
    )


def space(sizes: int = 64) -> tuple[Parameter, ...]:
    """Two parameters with `sizes` times four points."""
    return (Choice(name="width", values=tuple(range(sizes))), Choice(name="kind", values=("a", "b", "c", "d")))


def searched(request: SearchRequest, *, points: int = 64, strategy: str = "random", **plan: Any) -> SearchRun:
    """Carry out a search with the scripted candidate over `space(points)`."""
    planned = Planned(
        opener=f"{__name__}:open_scripted",
        identity={"schema": 1, "target": request.compile.target.name, "points": points},
        parameters=space(points),
        goals=GOALS,
        limits=(),
        strategy=strategy,
        **plan,
    )
    return search(request, planned, Budget(trials=request.trials, seconds=request.budget_s), lambda e: None)


def search_in_a_process(request: SearchRequest, log: Path, *, points: int = 64) -> subprocess.Popen[bytes]:
    """The same in a process of its own, which may be killed; it writes the end of the search as its last line."""
    assert isinstance(request.compile.model, Path)
    asked = {"trials": request.trials, "workers": request.workers, "ray": request.ray, "storage": request.storage}
    call = f"main({str(request.compile.model.parent)!r}, {points}, resume={request.resume}, **{asked!r})"
    with log.open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-c", f"from {__name__} import main; {call}"],
            stdout=output,
            stderr=output,
            cwd=Path(__file__).parents[2],
        )


def main(folder: str, points: int, **asked: Any) -> None:
    """What `search_in_a_process` runs; a shell may have had Ctrl-C ignored by those who run in its background."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    print(searched(opens(Path(folder), **asked), points=points).end)  # noqa: T201


def tried(folder: Path) -> list[dict[str, Any]]:
    """What candidates have tried to the end, in that order."""
    try:
        lines = (folder / "tried.jsonl").read_text().splitlines(keepends=True)
    except FileNotFoundError:
        return []
    return [json.loads(line) for line in lines if line.endswith("\n")]


@contextmanager
def open_scripted(request: SearchRequest, tools: Tools) -> Iterator[_Scripted]:
    """An opener; see `opens`."""
    assert isinstance(request.compile.model, Path)
    script = json.loads(request.compile.model.read_text())
    if "refuses_to_open" in script:
        raise InputError(script["refuses_to_open"])
    yield _Scripted(script=script, journal=request.compile.model.parent / "tried.jsonl", tools=tools)


@dataclass(frozen=True, kw_only=True)
class _Scripted:
    script: dict[str, Any]
    journal: Path
    tools: Tools

    def try_(self, asked: Asked, study: Study, *, stopped: Callable[[], bool]) -> Outcome:
        if self._does("dies", asked):
            os.kill(os.getpid(), signal.SIGKILL)
        if self._does("hangs", asked):
            signal.pause()
        if self._does("raises", asked):
            raise ValueError("the candidate has a bug")
        if self._does("fills_disk", asked):
            raise StorageError("no space left on the disk of the study")
        while "waits_for" in self.script and not Path(self.script["waits_for"]).exists():
            if stopped():
                raise InterruptedByUserError("the search stops")
            time.sleep(0.01)
        time.sleep(self.script.get("pause_s", 0.0))
        device = self._measure(asked, stopped) if self.script.get("device") else ""
        line = {"trial": asked.number, "attempt": asked.attempts, "params": dict(asked.params), "device": device}
        with self.journal.open("a") as journal:
            journal.write(json.dumps({**line, "pid": os.getpid()}) + "\n")
        width = float(int(asked.params["width"]))
        noise = int(sha256_bytes(json.dumps(dict(asked.params)).encode())[:6], 16) / 2**24
        values = {"accuracy": 1 - 1 / (1 + width + noise), "size_bytes": 100.0 * width + 1}
        return Outcome(state=State.COMPLETE, values=values, stage="device" if device else "static")

    def _measure(self, asked: Asked, stopped: Callable[[], bool]) -> str:
        with self.tools.devices.hold(stopped) as device:
            if device in self.script.get("dead_devices", ()) or self._does("loses_device", asked):
                raise NetworkError(f"{device} does not answer")
            flag = self.journal.parent / f"{device}.held"
            flag.touch(exist_ok=False)  # FileExistsError: two trials hold it
            time.sleep(self.script.get("device_s", 0.0))
            flag.unlink()
            return device

    def _does(self, what: str, asked: Asked) -> bool:
        return asked.attempts in self.script.get(what, {}).get(str(asked.number), ())
