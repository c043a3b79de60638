"""Uploads that are cut off, again and again, and what the next try has to send."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from device_agents.linux import protocol
from edgekit.device.delta import Delta
from edgekit.device.session import AgentProgram
from edgekit.device.upload import Upload
from edgekit.selftest.lab.agent_process import AgentProcess, RefusedError, sha256
from edgekit.selftest.lab.altered_agent import altered

MIB = 1024 * 1024
FRAME_BYTES = 256 * 1024
_GONE_S = 30.0


def impatient_agent() -> AgentProgram:
    """This edgekit's agent, which takes a silent host for a dead one after a second, not a minute."""
    return altered(("STALL_S = 60.0", "STALL_S = 1.0"))


def programs() -> tuple[AgentProgram, AgentProgram]:
    """This edgekit's agent, and the impatient one."""
    return AgentProgram.current(), impatient_agent()


@dataclass(frozen=True, kw_only=True)
class Cut:
    """The end of a try.

    Attributes:
        until: byte of the file before which it ends; for an encoded file, the byte of the stream that is as far.
        spill: bytes that go out besides; behind a frame they are a torn header.
        kind: "end" (the channel ends), "kill" (the agent is killed), "silence" (nothing more comes).
    """

    until: int
    kind: str
    spill: int = 0


@dataclass(kw_only=True)
class CutUpload:
    """One file on its way to one device.

    Args:
        root: of the device.
        data: the file.
        encoding: how it travels.
        base: for the encoding delta; a file that the device has.
        programs: the agent, and an impatient one that is there when silence falls.

    Attributes:
        worst_resent: most bytes that a try had to send beyond those that the device lacked.
        failures: what was not as it has to be.
    """

    root: Path
    data: bytes = field(repr=False)
    programs: tuple[AgentProgram, AgentProgram] = field(repr=False)
    encoding: str | None = None
    base: bytes | None = field(default=None, repr=False)
    worst_resent: int = 0
    failures: list[str] = field(default_factory=list)
    _received: int = 0

    def __post_init__(self) -> None:
        self.digest = sha256(self.data)
        self.part = self.root / "incoming" / f"{self.digest}.part"
        self._delta = None if self.base is None else Delta.between(self.data, self.base, sha256(self.base))

    def attempt(self, cut: Cut | None, *, damage: Callable[[bytearray], None] | None = None) -> None:
        """Stage the file up to the cut, and look at what the device asks for.

        Args:
            cut: where this try ends; None lets it go through.
            damage: done to what the device has before the try.
        """
        if damage is not None and self.part.exists():
            content = bytearray(self.part.read_bytes())
            damage(content)
            self.part.write_bytes(content)
        program = self.programs[cut is not None and cut.kind == "silence"]
        with AgentProcess(self.root, program=program) as agent:
            agent.boot()
            if cut is None:
                agent.request("stage", on_ready=lambda _: self._send_all(agent), **self._params())
                return
            agent.ask("stage", **self._params())
            kept = None
            with contextlib.suppress(BrokenPipeError):  # on a busy computer we may be the ones who are too slow
                kept = self._send(agent, agent.read(), cut)
            if cut.kind == "kill":
                agent.kill()
            elif cut.kind == "silence":
                agent.process.wait(_GONE_S)
            agent.end()
        self._received = self.part.stat().st_size if self.part.exists() else 0
        if self.encoding is None and cut.kind != "kill" and kept not in (None, self._received):
            self.failures.append(f"{cut}: the device should have {kept} bytes, it has {self._received}")

    def finish(self) -> None:
        """Let a try go through; the file has to be there, and nothing else of it."""
        try:
            self.attempt(None)
        except RefusedError as refusal:
            self.failures.append(f"the last try is refused: {refusal}")
            return
        if (self.root / "blobs" / self.digest).read_bytes() != self.data:
            self.failures.append("the file on the device is another one")
        for path in (self.root / "incoming").glob(f"{self.digest}.*"):
            self.failures.append(f"{path.name} is left")

    def _params(self) -> dict[str, Any]:
        params: dict[str, Any] = {"sha256": self.digest, "size": len(self.data), "holes": True}
        if self.encoding is not None:
            params["encoding"] = self.encoding
        if self._delta is not None:
            params["base"] = self._delta.base_sha256
        return params

    def _send_all(self, agent: AgentProcess) -> None:
        self._send(agent, agent.events[-1], None)
        agent.write(protocol.encode_frame(b""))

    def _send(self, agent: AgentProcess, ready: dict[str, Any], cut: Cut | None) -> int:
        """Send what the device asks for; the bytes of the file that it has then, if they travel plain."""
        offset, holes = int(ready["offset"]), [(int(begin), int(end)) for begin, end in ready.get("holes", [])]
        filled, size = sum(end - begin for begin, end in holes), len(self.data)
        resent = self._received - offset + filled
        self.worst_resent = max(self.worst_resent, resent)
        if resent > MIB:
            self.failures.append(f"{resent} bytes that had arrived are asked for again: offset {offset}, holes {holes}")
        payload = self._payload([*holes, (offset, size)])
        if cut is None:
            agent.write(_framed(payload))
            return size
        plain = filled + max(0, cut.until - offset)
        share = plain if self.encoding is None else len(payload) * plain // max(1, filled + size - offset)
        sent = _framed(payload)[: _framed_bytes(min(share, len(payload))) + cut.spill]
        agent.write(sent)
        return offset + max(0, _payload_bytes(len(sent), len(payload)) - filled)

    def _payload(self, ranges: Sequence[tuple[int, int]]) -> bytes:
        upload = Upload(
            source=io.BytesIO(self.data), size_bytes=len(self.data), encoding=self.encoding, delta=self._delta
        )
        pieces = (piece for piece, _ in upload.pieces(ranges, FRAME_BYTES))
        return b"".join(upload.packed(pieces, sum(end - begin for begin, end in ranges)))


def _framed(payload: bytes) -> bytes:
    frames = (payload[at : at + FRAME_BYTES] for at in range(0, len(payload), FRAME_BYTES))
    return b"".join(map(protocol.encode_frame, frames))


def _framed_bytes(payload_bytes: int) -> int:
    """Where a byte of the payload lies among the frames."""
    return payload_bytes + 4 * -(-payload_bytes // FRAME_BYTES)


def _payload_bytes(framed_bytes: int, most: int) -> int:
    """The payload in so many bytes of frames."""
    whole, rest = divmod(framed_bytes, FRAME_BYTES + 4)
    return min(most, whole * FRAME_BYTES + max(0, rest - 4))
