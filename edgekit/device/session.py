"""One connection to one agent: bootstrap, requests, events, payloads, and no trust in what comes back."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from device_agents.linux import protocol
from edgekit.core.errors import (
    DeadlineError,
    DeviceError,
    EdgekitError,
    ProtocolError,
    StorageError,
    TrustError,
    UnsupportedError,
    from_json,
)
from edgekit.device.agent_build import agent_digest, bootstrap_source, build_agent
from edgekit.device.deadlines import MIN_BYTES_PER_S, verb_s
from edgekit.device.fields import Fields, safe
from edgekit.device.rate import RateLimit
from edgekit.device.replies import Hello
from edgekit.device.upload import Upload
from edgekit.device.wire import Wire
from edgekit.transports import Transport, printable

MAX_PAYLOADS = 1024
_HAVE, _NEED = b"EDGEKIT-BOOT/1 have\n", b"EDGEKIT-BOOT/1 need\n"

_BOOT_REFUSALS: Mapping[object, type[EdgekitError]] = {
    65: ProtocolError,
    74: StorageError,
    77: TrustError,
    78: UnsupportedError,
}
"""Exit statuses of the bootstrap (after sysexits.h): wrong data, I/O error, no permission, an unqualified machine."""

_BOOT_HINTS: Mapping[object, str] = {
    77: "install this edgekit's agent there, with a key that has a shell: edgekit devices harden NAME --login KEY",
}

OnAgentEvent = Callable[[Mapping[str, Any]], None]
"""Called with each event of the agent; its strings are safe to print."""


@dataclass(frozen=True, kw_only=True)
class Payload:
    """A payload of the agent; its bytes have the digest that the agent announced."""

    name: str
    sha256: str
    data: bytes = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Reply:
    """A request's result, not yet checked beyond being a JSON object.

    Attributes:
        result: as it came.
        payloads: those of the answer, in order.
        uploaded_bytes: what was sent for the upload, as it travelled, without the frames' headers.
    """

    result: Mapping[str, Any]
    payloads: Sequence[Payload]
    uploaded_bytes: int


@dataclass(frozen=True, kw_only=True)
class AgentProgram:
    """What is started on a device.

    Attributes:
        bootstrap: the constant text that `python3 -c` gets.
        archive: the agent, a zip file that Python runs.
        sha256: its digest.
    """

    bootstrap: str
    archive: bytes = field(repr=False)
    sha256: str

    @classmethod
    def current(cls) -> Self:
        """The agent of this edgekit."""
        return cls(bootstrap=bootstrap_source(), archive=build_agent(), sha256=agent_digest())


class Session:
    """One agent at the other end of a transport. Use it as a context manager; requests go one at a time.

    Args:
        transport: not opened yet; the session owns it from now on.
        agent: what to start there; None means this edgekit's agent.
        rate: most bytes to send a second; None is as many as the link takes.

    Attributes:
        hello: what the agent said of itself, set by `open`.
        token: of the lease that requests go under; None without one.
    """

    hello: Hello

    def __init__(
        self, transport: Transport, *, agent: AgentProgram | None = None, rate: RateLimit | None = None
    ) -> None:
        self._transport = transport
        self._agent = agent or AgentProgram.current()
        self._rate = rate
        self._wire: Wire | None = None
        self._last_id = 0
        self.token: int | None = None

    @property
    def endpoint(self) -> str:
        """Where the device is, as a URL."""
        return str(self._transport.endpoint)

    @property
    def is_remote(self) -> bool:
        """Whether bytes leave this computer on their way to the device."""
        return self._transport.is_remote

    def open(self) -> None:
        """Connect, start the agent (push it when the device lacks this version), agree on a protocol.

        Raises:
            TrustError: the device's identity or our key was refused.
            NetworkError: it cannot be reached.
            UnsupportedError: it has no Python, or one that is too old.
            ProtocolError: something else than our agent answers, or no protocol is common.
        """
        try:
            self._transport.open()
            channel = self._transport.start(self._agent.bootstrap)
            limits = self._transport.limits
            self._wire = Wire(channel, self._transport.endpoint, limits.idle_s, start_s=limits.start_s, rate=self._rate)
            self._bootstrap(self._wire)
            self.hello = Hello.parse(Fields(self.request("hello", {"protocol": [protocol.PROTOCOL]}).result, "hello"))
        except BaseException:
            self.close()
            raise

    def _bootstrap(self, wire: Wire) -> None:
        greeting = json.dumps({"sha256": self._agent.sha256, "size": len(self._agent.archive)})
        try:
            wire.write(greeting.encode() + b"\n")
            if wire.skip_to(_HAVE, _NEED) == _NEED:
                wire.write(self._agent.archive)
            wire.skip_to(protocol.MAGIC)
        except DeviceError as error:
            refusal = _BOOT_REFUSALS.get(error.details.get("exit_status"))
            if refusal is None:
                raise
            hint = _BOOT_HINTS.get(error.details.get("exit_status"), error.hint)
            raise refusal(error.message, hint=hint, **error.details) from error

    def request(
        self,
        verb: str,
        params: Mapping[str, Any],
        *,
        on_event: OnAgentEvent | None = None,
        upload: Upload | None = None,
        payload_limit_bytes: int = 0,
        deadline_s: float | None = None,
    ) -> Reply:
        """Ask the agent for one thing.

        Args:
            verb: one of `protocol.VERBS`.
            params: its parameters.
            on_event: hears of progress.
            upload: what the agent may ask for with a `ready` event.
            payload_limit_bytes: most bytes that all payloads of the answer may have together.
            deadline_s: longest time for everything; None means that of the verb.

        Raises:
            EdgekitError: what the agent reports, as the class of its code; the session stays usable.
            ProtocolError: it says what the protocol does not allow; the session is closed.
            NetworkError: the connection broke or fell silent; the session is closed.
        """
        wire = self._open_wire()
        self._last_id += 1
        exchange = _Exchange(
            wire=wire,
            id=self._last_id,
            verb=verb,
            on_event=on_event,
            upload=upload,
            payload_limit_bytes=payload_limit_bytes,
            deadline_s=verb_s(verb) if deadline_s is None else deadline_s,
        )
        try:
            wire.write_message({"id": self._last_id, "verb": verb, "params": self._under_lease(verb, params)})
            answer = exchange.run()
        except BaseException:
            self.close()  # in the middle of an exchange nothing can be said any more
            raise
        if isinstance(answer, EdgekitError):
            raise answer
        return answer

    def _under_lease(self, verb: str, params: Mapping[str, Any]) -> dict[str, Any]:
        leased = self.token is not None and verb in protocol.LEASED
        return {**params, "token": self.token} if leased else dict(params)

    def _open_wire(self) -> Wire:
        if self._wire is None:
            raise ProtocolError(f"the session with {self.endpoint} is closed", hint="connect again")
        return self._wire

    def close(self) -> None:
        """End the agent and the connection; a second call is harmless."""
        self._wire = None
        self._transport.close()

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


@dataclass(kw_only=True)
class _Exchange:
    """One request on its way: everything that is allowed to come back, and how much of it."""

    wire: Wire
    id: int
    verb: str
    on_event: OnAgentEvent | None
    upload: Upload | None
    payload_limit_bytes: int
    deadline_s: float
    payloads: list[Payload] = field(default_factory=list)
    uploaded_bytes: int = 0
    answer: Reply | EdgekitError | None = None
    started: float = field(default_factory=time.monotonic)

    def run(self) -> Reply | EdgekitError:
        """Read until the answer is there."""
        while True:
            self._read_one()
            if self.answer is not None:
                return self.answer

    def _read_one(self) -> None:
        self._check_deadline()
        message = self.wire.read_message()
        self._check_id(message)
        if "event" in message:
            self._handle_event(message)
        elif set(message) == {"id", "result"} and isinstance(message["result"], dict):
            self.answer = Reply(
                result=message["result"], payloads=tuple(self.payloads), uploaded_bytes=self.uploaded_bytes
            )
        elif set(message) == {"id", "error"} and isinstance(message["error"], dict):
            self.answer = from_json(safe(message["error"]))
        else:
            raise self.wire.bad(f"a message with the keys {sorted(map(printable, message))}")

    def _check_deadline(self) -> None:
        if time.monotonic() - self.started > self.deadline_s:
            raise DeadlineError(
                f"{self.verb} took longer than {self.deadline_s:g} s",
                hint="raise the limit with --timeout, or look at the load of the device",
                phase=self.verb,
                limit_s=self.deadline_s,
            )

    def _check_id(self, message: Mapping[str, Any]) -> None:
        got = message.get("id")
        if type(got) is int and got == self.id:
            return
        if type(got) is int and 0 < got < self.id:
            raise self.wire.bad(f"request {got} is answered twice")
        raise self.wire.bad(f"an answer to request {printable(repr(got), limit=40)}, asked was {self.id}")

    def _handle_event(self, message: Mapping[str, Any]) -> None:
        event = message["event"]
        if not isinstance(event, str):
            raise self.wire.bad("an event without a name")
        if event == "ready":
            self._send(message)
        elif event == "payload":
            self._receive(message)
        elif self.on_event is not None:
            self.on_event(safe(dict(message)))

    def _send(self, message: Mapping[str, Any]) -> None:
        if self.upload is None:
            raise self.wire.bad("it asks for a payload that was not offered")
        upload, self.upload = self.upload, None
        ranges = self._wanted(message, upload.size_bytes)
        missing = sum(end - begin for begin, end in ranges)
        for frame in upload.packed(self._pieces(upload, ranges, missing), missing):
            while self.answer is None and self.wire.has_input():
                self._read_one()
            if self.answer is not None:
                break  # it gave up, e.g. for a full disk; the empty frame keeps both sides in step
            self._check_deadline()
            self.wire.write_frame(frame)
            self.uploaded_bytes += len(frame)
        self.wire.write_frame(b"")

    def _wanted(self, message: Mapping[str, Any], size_bytes: int) -> list[tuple[int, int]]:
        """The stretches of an upload that the agent lacks: the holes in what it has, and everything behind that."""
        offset, holes = message.get("offset"), message.get("holes", [])
        ranges, latest = [], 0
        for hole in holes if isinstance(holes, list) else [holes]:
            if not (isinstance(hole, list) and len(hole) == 2 and all(type(edge) is int for edge in hole)):
                raise self.wire.bad(f"it wants the bytes {printable(repr(hole), limit=40)}")
            ranges.append((hole[0], hole[1]))
        if type(offset) is not int or not 0 <= offset <= size_bytes:
            raise self.wire.bad(f"it wants {size_bytes} bytes from offset {printable(repr(offset), limit=40)} on")
        for begin, end in ranges:
            if not latest <= begin < end <= offset:
                raise self.wire.bad(f"it wants the bytes {begin} to {end}, and those from {offset} on")
            latest = end
        return [*ranges, (offset, size_bytes)]

    def _pieces(self, upload: Upload, ranges: Sequence[tuple[int, int]], missing: int) -> Iterator[bytes]:
        """What is missing of an upload; each piece counts as done when the next one is asked for."""
        done = upload.size_bytes - missing
        for piece, stands_for in upload.pieces(ranges, self.wire.frame_bytes):
            yield piece
            done += stands_for
            if self.on_event is not None:
                self.on_event({"event": "progress", "phase": "upload", "done": done, "total": upload.size_bytes})

    def _receive(self, message: Mapping[str, Any]) -> None:
        fields = Fields(message, "payload")
        name, size, sha256 = fields.text("name"), fields.integer("size"), fields.digest("sha256")
        if size > self.payload_limit_bytes or len(self.payloads) >= MAX_PAYLOADS:
            raise self.wire.bad(f"a payload of {size} bytes, expected were at most {self.payload_limit_bytes}")
        self.payload_limit_bytes -= size
        self.deadline_s += size / MIN_BYTES_PER_S
        data = bytearray()
        while frame := self.wire.read_frame():
            self._check_deadline()
            if len(data) + len(frame) > size:
                raise self.wire.bad(f"payload {name!r} is longer than the {size} bytes announced")
            data += frame
        if len(data) != size or hashlib.sha256(data).hexdigest() != sha256:
            raise self.wire.bad(f"payload {name!r} is not what was announced ({len(data)} of {size} bytes)")
        self.payloads.append(Payload(name=name, sha256=sha256, data=bytes(data)))
