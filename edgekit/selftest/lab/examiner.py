"""A process that looks at disks with the modules of an agent's own program, and answers with what is wrong."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from edgekit.selftest.lab.acts import Act, Belief
from edgekit.selftest.lab.examining import Case, recovered, untouched
from edgekit.selftest.lab.power_cuts import Search, search

_START = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from edgekit.selftest.lab import examiner; examiner.main()"
)


class Examiner:
    """One such process, as a context manager.

    Args:
        archive: the agent's program, a zip file.
        folder: where to put it.
    """

    def __init__(self, archive: bytes, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        place = folder / "agent.zip"
        place.write_bytes(archive)
        self._process = subprocess.Popen(
            [sys.executable, "-c", _START, json.dumps([str(place), *sys.path])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()

    def look(
        self,
        root: Path,
        allowed: Iterable[Belief],
        manifests: dict[str, str],
        *,
        act: Act | None = None,
        after: Belief | None = None,
        recover: bool = True,
    ) -> list[str]:
        """What is wrong with a device.

        Args:
            root: its ROOT.
            allowed: what it may believe.
            manifests: texts of all releases by digest.
            act: done again once it has recovered.
            after: what it must believe then.
            recover: without, nothing is written.
        """
        self._ask(
            {
                "root": str(root),
                "allowed": [belief.as_json() for belief in allowed],
                "manifests": manifests,
                "act": act and act.as_json(),
                "after": after and after.as_json(),
                "recover": recover,
            }
        )
        found: list[str] = self._answer()
        return found

    def search(self, wanted: Search) -> dict[str, Any]:
        """What is wrong with the disks that a power cut may leave."""
        self.begin_search(wanted)
        return self.end_search()

    def begin_search(self, wanted: Search) -> None:
        """Start a search; `end_search` waits for it."""
        wanted.work.mkdir(parents=True, exist_ok=True)
        self._ask({"search": wanted.as_json()})

    def end_search(self) -> dict[str, Any]:
        """The result of `search`."""
        found: dict[str, Any] = self._answer()
        return found

    def _ask(self, question: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the process that looks at disks has ended; its last words are above")
        return json.loads(line)


def main() -> None:
    """The process: one question a line, one answer a line."""
    for line in sys.stdin:
        question = json.loads(line)
        answer = search(Search.from_json(question["search"])) if "search" in question else _look(question)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def _look(question: dict[str, Any]) -> list[str]:
    act, after = question["act"], question["after"]
    case = Case(
        root=Path(question["root"]),
        allowed=tuple(map(Belief.from_json, question["allowed"])),
        manifests=question["manifests"],
        meanwhile=act and act["meanwhile"],
        act=act and Act.from_json(act),
        after=after and Belief.from_json(after),
    )
    return list(chain(untouched(case), recovered(case) if question["recover"] else ()))
