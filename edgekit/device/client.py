"""A device's verbs as methods with typed results."""

from __future__ import annotations

import io
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from numpy.typing import NDArray

from device_agents.linux import protocol
from edgekit.core.digest import sha256_bytes, sha256_file
from edgekit.core.errors import ProtocolError
from edgekit.core.events import Event, OnEvent, ignore
from edgekit.core.files import require_readable
from edgekit.device.fields import Fields
from edgekit.device.measured import MeasureRequest, MeasureResult
from edgekit.device.replies import (
    Activation,
    ChildFacts,
    Collection,
    EvaluateResult,
    Hello,
    InferResult,
    OutputTensor,
    ProbeResult,
    Rollback,
    Status,
    tensor,
)
from edgekit.device.session import Reply, Session
from edgekit.device.tensors import TensorRef, encode
from edgekit.device.upload import StageResult, Upload, deflate_gains

MIN_UPLOAD_BYTES_PER_S = 16 * 1024
"""A slower link than this is taken for a dead one."""

OUTPUT_LIMIT_BYTES = 1024 * 1024 * 1024
"""Most bytes of outputs that one answer may have, unless the caller allows more."""

_SLACK_S = 120.0
_CLOCK_ERROR = 1e-3
"""A device's raw clock may run so much faster than ours: twice what NTP corrects at most (500 ppm, RFC 5905)."""


@dataclass(frozen=True, kw_only=True)
class ArtifactRef:
    """What to run: the active release, a certain release, or a staged file.

    Attributes:
        release: digest of a manifest, or "active"; None for a staged file.
        blob, format, runtime: of a staged file.
    """

    release: str | None = "active"
    blob: str | None = None
    format: str | None = None
    runtime: str | None = None

    def as_json(self) -> dict[str, object]:
        """A of docs/protocol.md."""
        if self.blob is not None:
            return {"blob": self.blob, "format": self.format, "runtime": self.runtime}
        return {"release": self.release}


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """How to run it, O of docs/protocol.md.

    Attributes:
        delegate: name of an accelerated back end, None for the runtime's choice.
        timeout_s: of the child process.
        memory_limit_bytes: address space of the child; None means no limit.
        kernels: "default", "reference" or "builtin".
        tensors: names of intermediate tensors that come behind the outputs, where the runtime can keep them.
    """

    threads: int = 1
    delegate: str | None = None
    timeout_s: float = 60.0
    memory_limit_bytes: int | None = None
    seed: int = 0
    kernels: str = "default"
    tensors: tuple[str, ...] = ()

    def as_json(self) -> dict[str, object]:
        """O of docs/protocol.md; an agent of old knows no tensors."""
        named = dict(vars(self), tensors=list(self.tensors))
        return named if self.tensors else {key: value for key, value in named.items() if key != "tensors"}


class DeviceClient:
    """One connected device. Use it as a context manager.

    Args:
        session: not opened yet; the client owns it.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def __enter__(self) -> Self:
        self._session.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._session.close()

    def close(self) -> None:
        """End the connection."""
        self._session.close()

    @property
    def hello(self) -> Hello:
        """What the agent said of itself when the connection opened."""
        return self._session.hello

    def status(self, *, manifest: str | None = None) -> Status:
        """What is on the device now.

        Args:
            manifest: "active" asks for the text of the active release's manifest too.
        """
        return Status.parse(Fields(self._session.request("status", {"manifest": manifest}).result, "status"))

    def stage(
        self,
        source: Path | bytes,
        *,
        sha256: str | None = None,
        size_bytes: int | None = None,
        on_event: OnEvent = ignore,
    ) -> StageResult:
        """Put a blob on the device, unless it is there; an upload that was cut off is resumed.

        It travels compressed where the device is a remote one, its agent can decode it, and it gets smaller.

        Args:
            source: a file or its bytes.
            sha256: of the content, when the caller knows it.
            size_bytes: of the content, when the caller knows it.
            on_event: hears how many bytes of the blob are on the device.

        Raises:
            VerificationError: the file changed meanwhile.
            StorageError: the device has no space.
        """
        if isinstance(source, Path):
            require_readable(source, what="file to upload")
            with source.open("rb") as file:
                digest = sha256 or sha256_file(source)
                return self._stage(file, digest, source.stat().st_size if size_bytes is None else size_bytes, on_event)
        return self._stage(io.BytesIO(source), sha256 or sha256_bytes(source), len(source), on_event)

    def _stage(self, source: Any, sha256: str, size_bytes: int, on_event: OnEvent) -> StageResult:
        params: dict[str, object] = {"sha256": sha256, "size": size_bytes}
        encoding = None
        known = self._session.is_remote and protocol.DEFLATE in self.hello.encodings
        if known and deflate_gains(source, size_bytes):
            params["encoding"] = encoding = protocol.DEFLATE
        reply = self._session.request(
            "stage",
            params,
            upload=Upload(source=source, size_bytes=size_bytes, encoding=encoding),
            on_event=_progress("upload", on_event),
            deadline_s=size_bytes / MIN_UPLOAD_BYTES_PER_S + _SLACK_S,
        )
        fields = Fields(reply.result, "stage")
        if fields.digest("sha256") != sha256:
            raise ProtocolError(f"asked to store {sha256}, the agent stored something else", hint="try again")
        return StageResult(
            sha256=sha256,
            sent_bytes=fields.integer("sent"),
            transferred_bytes=reply.uploaded_bytes,
            already=fields.boolean("already"),
        )

    def stage_tensor(self, array: NDArray[Any], *, on_event: OnEvent = ignore) -> TensorRef:
        """Put an array on the device, unless it is there.

        Args:
            array: first axis is the sample.
            on_event: hears of the upload.
        """
        reference, data = encode(array)
        self.stage(data, sha256=reference.blob, on_event=on_event)
        return reference

    def activate(self, manifest: str, *, expect: str | None = None, on_event: OnEvent = ignore) -> Activation:
        """Make a staged release the active one (or unpack a runtime); old or new, never in between.

        Args:
            manifest: its canonical text.
            expect: refuse unless this manifest is active now; None means any.
            on_event: hears of the phases.

        Raises:
            VerificationError: a blob or the golden run is not what the manifest says; the old release stays.
            RolledBackError: the health check failed after the switch; the old release is active again.
            LockedError: someone else is at it.
        """
        reply = self._session.request(
            "activate", {"manifest": manifest, "expect": expect}, on_event=_progress("activate", on_event)
        )
        return Activation.parse(Fields(reply.result, "activate"))

    def rollback(self, to: str | None = None) -> Rollback:
        """Make an earlier release the active one.

        Args:
            to: digest of its manifest; None means the previous one.
        """
        fields = Fields(self._session.request("rollback", {"to": to}).result, "rollback")
        return Rollback(active=fields.optional_digest("active"), previous=fields.optional_digest("previous"))

    def probe(self, runtimes: Sequence[str] | None = None, *, on_event: OnEvent = ignore) -> ProbeResult:
        """Find out which runtimes really work there, each in a child process.

        Args:
            runtimes: names; None means all that the agent knows.
            on_event: hears that the agent is busy.
        """
        names = None if runtimes is None else list(runtimes)
        reply = self._session.request("probe", {"runtimes": names}, on_event=_progress("probe", on_event))
        return ProbeResult.parse(Fields(reply.result, "probe"))

    def infer(
        self,
        inputs: Sequence[NDArray[Any] | TensorRef],
        *,
        artifact: ArtifactRef | None = None,
        options: RunOptions | None = None,
        on_event: OnEvent = ignore,
        output_limit_bytes: int = OUTPUT_LIMIT_BYTES,
    ) -> InferResult:
        """Run the model on its inputs.

        Args:
            inputs: one array or staged tensor per input of the model.
            artifact: None means the active release.
            options: how to run it.
            on_event: hears of uploads and progress.
            output_limit_bytes: most bytes that the outputs may have together.

        Raises:
            DeviceError: the child process crashed, hung or ran out of memory; `details` tells how.
        """
        reply = self._run("infer", inputs, artifact, options, on_event, output_limit_bytes)
        fields = Fields(reply.result, "infer")
        return InferResult(
            outputs=_outputs(reply, fields),
            child=ChildFacts.parse(fields.fields("child")),
            kernels=_kernels(fields),
        )

    def evaluate(
        self,
        inputs: Sequence[NDArray[Any] | TensorRef],
        *,
        artifact: ArtifactRef | None = None,
        options: RunOptions | None = None,
        on_event: OnEvent = ignore,
        output_limit_bytes: int = OUTPUT_LIMIT_BYTES,
    ) -> EvaluateResult:
        """As `infer`, for a whole data set: one inference per index of the first axis."""
        reply = self._run("evaluate", inputs, artifact, options, on_event, output_limit_bytes)
        fields = Fields(reply.result, "evaluate")
        return EvaluateResult(
            outputs=_outputs(reply, fields),
            child=ChildFacts.parse(fields.fields("child")),
            kernels=_kernels(fields),
            samples=fields.integer("samples"),
            seconds=fields.number("seconds"),
        )

    def measure(
        self,
        inputs: Sequence[NDArray[Any] | TensorRef],
        request: MeasureRequest,
        *,
        artifact: ArtifactRef | None = None,
        options: RunOptions | None = None,
        on_event: OnEvent = ignore,
    ) -> MeasureResult:
        """Time the model in fresh processes, and weigh it in more.

        Args:
            inputs: as for `infer`; cycled through.
            request: what to measure, and how often.
            artifact: None means the active release.
            options: how to run it.
            on_event: hears of progress.

        Raises:
            ProtocolError: the device claims more time than went by here.
        """
        params = self._params(self._staged(inputs, on_event), artifact, options) | request.as_json()
        started = time.monotonic_ns()
        reply = self._session.request("measure", params, on_event=_progress("measure", on_event))
        wall_ns = time.monotonic_ns() - started
        result = MeasureResult.parse(Fields(reply.result, "measure"))
        claimed_ns = sum(run.total_ns for run in result.runs)
        if claimed_ns > wall_ns * (1 + _CLOCK_ERROR):
            raise ProtocolError(
                f"the device claims {claimed_ns / 1e9:.3f} s of work, but only {wall_ns / 1e9:.3f} s went by here",
                hint="its clock is wrong, or it is not honest; do not trust its numbers",
            )
        return result

    def collect(self, *, keep: int = 3, data: bool = False) -> Collection:
        """Remove releases that are neither active nor previous.

        Args:
            keep: this many of the latest stay in any case.
            data: remove every blob that no release needs, staged data sets and cut uploads too.
        """
        fields = Fields(self._session.request("collect", {"keep": keep, "data": data}).result, "collect")
        return Collection(removed=fields.digests("removed"), freed_bytes=fields.integer("freed_bytes"))

    def _run(
        self,
        verb: str,
        inputs: Sequence[NDArray[Any] | TensorRef],
        artifact: ArtifactRef | None,
        options: RunOptions | None,
        on_event: OnEvent,
        output_limit_bytes: int,
    ) -> Reply:
        staged = self._staged(inputs, on_event)
        return self._session.request(
            verb,
            self._params(staged, artifact, options),
            on_event=_progress(verb, on_event),
            payload_limit_bytes=output_limit_bytes,
        )

    def _staged(self, inputs: Sequence[NDArray[Any] | TensorRef], on_event: OnEvent) -> list[TensorRef]:
        return [item if isinstance(item, TensorRef) else self.stage_tensor(item, on_event=on_event) for item in inputs]

    @staticmethod
    def _params(
        inputs: Sequence[TensorRef], artifact: ArtifactRef | None, options: RunOptions | None
    ) -> dict[str, object]:
        return {
            "artifact": (artifact or ArtifactRef()).as_json(),
            "inputs": [item.as_json() for item in inputs],
            "options": (options or RunOptions()).as_json(),
        }


def _outputs(reply: Reply, fields: Fields) -> tuple[OutputTensor, ...]:
    described = fields.objects("outputs")
    if len(described) != len(reply.payloads):
        raise ProtocolError(
            f"the agent describes {len(described)} outputs and sent {len(reply.payloads)}", hint="try again"
        )
    return tuple(
        tensor(item.text("name"), payload.data, shape=item.integers("shape"), dtype=item.text("dtype"))
        for item, payload in zip(described, reply.payloads, strict=True)
    )


def _kernels(fields: Fields) -> str | None:
    return fields.text("kernels") if fields.has("kernels") else None


def _progress(phase: str, on_event: OnEvent) -> Any:
    """A listener that turns the agent's progress events and warnings into ours."""

    def listen(message: Mapping[str, Any]) -> None:
        if message.get("event") == "warning":
            on_event(Event(phase="warning", message=str(message.get("message"))))
        if message.get("event") != "progress":
            return
        name, done, total = message.get("phase"), message.get("done"), message.get("total")
        if isinstance(name, str) and type(done) is int and (total is None or type(total) is int):
            on_event(Event(phase=name or phase, message=name or phase, done=done, total=total))

    return listen
