"""A plain host for tests: starts the real agent through the real bootstrap and speaks the protocol, nothing more."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import signal
import struct
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from device_agents.linux import protocol
from edgekit.device.session import AgentProgram

_ANSWER_S = 60.0


class RefusedError(Exception):
    """The agent answered with an error."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(f"{error['code']}: {error['message']}")
        self.code: str = error["code"]
        self.message: str = error["message"]
        self.details: dict[str, Any] = error["details"]


def sha256(data: bytes) -> str:
    """The name of a blob."""
    return hashlib.sha256(data).hexdigest()


def floats(*values: float) -> bytes:
    """A raw float32 tensor."""
    return struct.pack(f"<{len(values)}f", *values)


@dataclass(frozen=True, kw_only=True)
class Release:
    """A manifest and the files that it names."""

    manifest: str
    files: tuple[bytes, ...]

    @property
    def digest(self) -> str:
        """Its name on the device."""
        return sha256(self.manifest.encode())


def fake_release(scale: float = 2.0, *, golden_scale: float | None = None, **changes: Any) -> Release:
    """A release for the fake runner that multiplies by `scale`; two golden samples of four values.

    Args:
        scale: of the model.
        golden_scale: what the golden outputs say, by default the same.
        changes: fields of the manifest to replace; `model_fields` holds further fields of the model file.
    """
    model = json.dumps({"scale": scale, **changes.pop("model_fields", {})}, sort_keys=True).encode()
    golden = scale if golden_scale is None else golden_scale
    given, wanted = floats(*range(8)), floats(*(value * golden for value in range(8)))
    files = {"model.json": model, "golden/x": given, "golden/y": wanted}
    manifest = {
        "schema": "edgekit.manifest/1",
        "kind": "model",
        "compatible": {"machine": [], "formats": ["fake"]},
        "runtime": "fake",
        "files": {path: {"sha256": sha256(data), "size": len(data)} for path, data in files.items()},
        "model": "model.json",
        "format": "fake",
        "golden": {
            "inputs": [{"path": "golden/x", "shape": [2, 4], "dtype": "float32"}],
            "outputs": [{"path": "golden/y", "shape": [2, 4], "dtype": "float32"}],
            "tolerance": {"kind": "exact", "value": 0.0},
        },
        "counter": 1,
        **changes,
    }
    return Release(manifest=json.dumps(manifest, sort_keys=True, separators=(",", ":")), files=tuple(files.values()))


class AgentProcess:
    """One agent, as a context manager.

    Args:
        root: its ROOT.
        python: the device's Python.
        env: added to our environment.
        wrap: a command that runs the device's Python, e.g. strace with its options.
        program: the agent; None means this edgekit's.

    Attributes:
        events: those of the last request.
        payloads: name and bytes of each payload of the last request.
    """

    def __init__(
        self,
        root: Path,
        *,
        python: str = sys.executable,
        env: Mapping[str, str] | None = None,
        wrap: Sequence[str] = (),
        program: AgentProgram | None = None,
    ) -> None:
        self._program = program or AgentProgram.current()
        self.events: list[dict[str, Any]] = []
        self.payloads: list[tuple[str, bytes]] = []
        self._last_id = 0
        self.process = subprocess.Popen(
            [*wrap, python, "-I", "-c", self._program.bootstrap],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "EDGEKIT_ROOT": str(root), **(env or {})},
            start_new_session=True,
        )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.stdin, self.stdout = self.process.stdin, self.process.stdout

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def boot(self) -> Self:
        """Hand over the agent if it is wanted; returns once the agent runs."""
        archive = self._program.archive
        self.write(json.dumps({"sha256": self._program.sha256, "size": len(archive)}).encode() + b"\n")
        if self.boot_answer() == b"EDGEKIT-BOOT/1 need\n":
            self.write(archive)
        assert self.stdout.readline() == protocol.MAGIC, self.end()
        return self

    def boot_answer(self) -> bytes:
        """The bootstrap's line; b"" when it refused."""
        return self.stdout.readline()

    def write(self, data: bytes) -> None:
        """Raw bytes to the agent."""
        self.stdin.write(data)
        self.stdin.flush()

    def ask(self, verb: str, **params: Any) -> int:
        """Send a request without waiting; returns its id."""
        self._last_id += 1
        self.write(protocol.encode_message({"id": self._last_id, "verb": verb, "params": params}))
        return self._last_id

    def read(self) -> dict[str, Any]:
        """One message of the agent."""
        line = self.stdout.readline()
        assert line, "the agent is gone: " + self.end()[1]
        return protocol.decode_message(line)

    def request(self, verb: str, *, on_ready: Callable[[int], None] | None = None, **params: Any) -> dict[str, Any]:
        """Ask for one thing and wait for the answer.

        Args:
            verb: what.
            on_ready: sends the payload from the offset that the agent names.
            params: its parameters.

        Raises:
            RefusedError: the answer is an error.
        """
        request = self.ask(verb, **params)
        self.events, self.payloads = [], []
        while "event" in (message := self.read()):
            assert message["id"] == request
            self.events.append(message)
            if message["event"] == "payload":
                self.payloads.append((message["name"], self._read_payload(message)))
            elif message["event"] == "ready" and on_ready is not None:
                on_ready(message["offset"])
        assert message["id"] == request
        if "error" in message:
            raise RefusedError(message["error"])
        result: dict[str, Any] = message["result"]
        return result

    def stage(self, data: bytes, *, frame_bytes: int = 64 * 1024) -> str:
        """Put a blob on the device; returns its digest."""
        digest = sha256(data)
        self.staged = self.request(
            "stage", sha256=digest, size=len(data), on_ready=lambda at: self.send_frames(data[at:], frame_bytes)
        )
        return digest

    def deploy(self, release: Release) -> dict[str, Any]:
        """Stage all files of a release and activate it."""
        for data in release.files:
            self.stage(data)
        return self.request("activate", manifest=release.manifest, expect=None)

    def send_frames(self, data: bytes, frame_bytes: int = 64 * 1024) -> None:
        """A payload in frames, with the empty one at the end."""
        for start in range(0, len(data), frame_bytes):
            self.write(protocol.encode_frame(data[start : start + frame_bytes]))
        self.write(protocol.encode_frame(b""))

    def kill(self) -> None:
        """SIGKILL, to the agent alone."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(_ANSWER_S)

    def end(self) -> tuple[int, str]:
        """Close the channel and wait; returns the exit status and what the agent wrote on stderr."""
        assert self.process.stderr is not None
        if not self.stdin.closed:
            with contextlib.suppress(BrokenPipeError):
                self.stdin.close()
            self.stdout.close()
            self.stderr = self.process.stderr.read().decode("utf-8", "replace")
            self.process.stderr.close()
        return self.process.wait(_ANSWER_S), self.stderr

    def _read_payload(self, announced: dict[str, Any]) -> bytes:
        data = b""
        while size := protocol.decode_frame_length(self.stdout.read(4)):
            data += self.stdout.read(size)
        assert len(data) == announced["size"]
        assert hashlib.sha256(data).hexdigest() == announced["sha256"]
        return data
