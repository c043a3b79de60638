"""An agent that is given hostile models, and the questions that are asked of it after each."""

from __future__ import annotations

import math
import os
import shutil
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from edgekit.device.session import AgentProgram
from edgekit.selftest.lab import hostile_runner
from edgekit.selftest.lab.agent_process import AgentProcess, RefusedError, sha256

ENDS = frozenset({"ok", "error", "signal", "timeout", "oom"})
_CODES = frozenset({"E_DEVICE", "E_UNSUPPORTED", "E_INPUT"})
"""What a model may make the agent answer; anything else would say that the agent, the disk or the host is at fault."""

_MARK = "EDGEKIT_LAB_MARK"
_MEMORY_BYTES = {"hostile": 2**29}
_FRAMEWORK_MEMORY_BYTES = 4 * 2**30
"""Address space, most of which a framework reserves and never uses."""

_ITEM_BYTES = {"float32": 4, "int32": 4, "int8": 1, "bool": 1}


class AssailedAgent:
    """One agent for many models; as a context manager.

    Args:
        folder: empty; gets the device's root, and nothing else may appear in it.
        python_path: folders with further packages for the agent's children.
        program: the agent; None means this edgekit's.

    Attributes:
        pid: of the agent, once and for all.
    """

    def __init__(self, folder: Path, *, python_path: Sequence[Path] = (), program: AgentProgram | None = None) -> None:
        self._folder = folder
        self._mark = uuid.uuid4().hex
        runners = folder / "runners"
        runners.mkdir(parents=True)
        shutil.copyfile(str(hostile_runner.__file__), runners / "hostile.py")
        environment = {_MARK: self._mark, "EDGEKIT_RUNNERS": str(runners)}
        if python_path:
            environment["PYTHONPATH"] = os.pathsep.join(map(str, python_path))
        self._agent = AgentProcess(folder / "root", env=environment, program=program)
        self._staged: dict[str, str] = {}

    def __enter__(self) -> Self:
        self._agent.boot()
        self.pid = self._hello()["pid"]
        self._agent.stage(b"the first upload makes folders")
        self._known = self._listing()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._agent.end()

    def works(self, runtime: str) -> str | None:
        """Why a runtime does not work here; None when it does."""
        found = self._agent.request("probe", runtimes=[runtime])["runtimes"][runtime]
        self._known = self._listing()
        return None if found["ok"] else str(found["reason"])

    def network(self) -> str:
        """Why a model's process has a network; empty when it has none."""
        found = self._agent.request("probe", runtimes=["hostile"])["runtimes"]["hostile"]
        self._known = self._listing()
        return str(found.get("network", ""))

    def assail(
        self,
        data: bytes,
        *,
        runtime: str,
        format_: str,
        inputs: Sequence[tuple[Sequence[int], str]],
        timeout_s: float,
    ) -> tuple[str, str]:
        """Have a model run once on zeros.

        Returns:
            How it ended, one of `ENDS`, and what is wrong with that or with what is left of it ("" for nothing).

        Raises:
            AssertionError: the agent is gone.
        """
        blob = self._agent.stage(data)
        given = [self._zeros(shape, dtype) for shape, dtype in inputs]
        try:
            result = self._agent.request(
                "infer",
                artifact={"blob": blob, "format": format_, "runtime": runtime},
                inputs=given,
                options={
                    "timeout_s": timeout_s,
                    "memory_limit_bytes": _MEMORY_BYTES.get(runtime, _FRAMEWORK_MEMORY_BYTES),
                },
            )
            end, wrong = result["child"]["exit"], ""
        except RefusedError as refusal:
            end, wrong = _judged(refusal)
        (self._folder / "root" / "blobs" / blob).unlink(missing_ok=True)  # or thousands of them would fill the disk
        return end, wrong or self._left()

    def _left(self) -> str:
        """What is wrong with the agent and the machine after a model; "" for nothing."""
        if (pid := self._hello()["pid"]) != self.pid or self._agent.process.poll() is not None:
            return f"the agent is process {pid} and was {self.pid}"
        if strays := sorted(set(self._marked()) - {self.pid}):
            for stray in strays:
                os.kill(stray, 9)
            return f"{len(strays)} processes are left"
        if new := self._listing() - self._known:
            self._known |= new
            return f"there are new files: {sorted(new)[:3]}"
        return ""

    def _hello(self) -> dict[str, Any]:
        return self._agent.request("hello", protocol=[1])

    def _zeros(self, shape: Sequence[int], dtype: str) -> Mapping[str, Any]:
        data = bytes(_ITEM_BYTES[dtype] * math.prod(shape))
        key = sha256(data)
        if key not in self._staged:
            self._staged[key] = self._agent.stage(data)
        batch = list(shape) if shape and shape[0] == 1 else [1, *shape]
        return {"blob": key, "shape": batch, "dtype": dtype}

    def _marked(self) -> list[int]:
        """Processes that the agent has started, directly or not; those of others cannot be asked."""
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if self._mark.encode() in (folder / "environ").read_bytes():
                    found.append(int(folder.name))
            except OSError:
                continue
        return found

    def _listing(self) -> set[str]:
        """All files but blobs, uploads and what Python and the agent keep for themselves."""
        return {
            str(path.relative_to(self._folder))
            for path in self._folder.rglob("*")
            if path.parent.name not in ("blobs", "incoming", "__pycache__")
        }


def _judged(refusal: RefusedError) -> tuple[str, str]:
    child = refusal.details.get("child")
    if refusal.code not in _CODES:
        return "error", f"the answer is {refusal.code}: {refusal.message[:200]}"
    if not isinstance(child, dict) or child.get("exit") not in ENDS:
        return "error", f"nothing is said of the child: {refusal.message[:200]}"
    if not refusal.message.strip():
        return "error", "no cause is named"
    if not refusal.message.isprintable() and not refusal.message.replace("\n", "").isprintable():
        return "error", "the message is not printable"
    if child["exit"] == "signal" and "SIG" not in str(child["message"]):
        return "signal", "the signal is not named"
    return ("error" if child["exit"] == "ok" else str(child["exit"])), ""
