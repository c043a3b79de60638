"""A device's verbs as methods with typed results."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from numpy.typing import NDArray

from edgekit.core.errors import ProtocolError
from edgekit.core.events import OnEvent, ignore
from edgekit.device import staging
from edgekit.device.control import ReleaseVerbs
from edgekit.device.deadlines import child_s, measure_s
from edgekit.device.fields import Fields
from edgekit.device.measured import MeasureRequest, MeasureResult
from edgekit.device.progress import listener
from edgekit.device.replies import (
    ChildFacts,
    EvaluateResult,
    Hello,
    InferResult,
    OutputTensor,
    ProbeResult,
    tensor,
)
from edgekit.device.sealing import Sealer
from edgekit.device.session import Reply, Session
from edgekit.device.staging import Base
from edgekit.device.tensors import TensorRef, encode
from edgekit.device.upload import StageResult

OUTPUT_LIMIT_BYTES = 1024 * 1024 * 1024
"""Most bytes of outputs that one answer may have, unless the caller allows more."""

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


class DeviceClient(ReleaseVerbs):
    """One connected device. Use it as a context manager.

    Args:
        session: not opened yet; the client owns it.
        on_hello: hears what the agent says of itself, and ends the connection by an error.
        seal: signs what is activated; None for a device that takes unsigned releases.
    """

    def __init__(
        self, session: Session, *, on_hello: Callable[[Hello], None] | None = None, seal: Sealer | None = None
    ) -> None:
        self._session = session
        self._on_hello = on_hello
        self._seal = seal

    def __enter__(self) -> Self:
        self._session.open()
        try:
            if self._on_hello is not None:
                self._on_hello(self._session.hello)
        except BaseException:
            self._session.close()
            raise
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

    @property
    def takes_deltas(self) -> bool:
        """Whether a `base` for `stage` is worth looking for."""
        return staging.takes_deltas(self._session)

    def stage(
        self,
        source: Path | bytes,
        *,
        sha256: str | None = None,
        size_bytes: int | None = None,
        base: Base | None = None,
        on_event: OnEvent = ignore,
    ) -> StageResult:
        """Put a blob on the device, unless it is there; an upload that was cut off is resumed.

        It travels compressed, or as what differs from the base, where the device is a remote one, its agent can decode
        it, and it gets smaller.

        Args:
            source: a file or its bytes.
            sha256: of the content, when the caller knows it.
            size_bytes: of the content, when the caller knows it.
            base: a blob that the device has; without it there, the file travels without it.
            on_event: hears how many bytes of the blob are on the device.

        Raises:
            VerificationError: the file changed meanwhile.
            StorageError: the device has no space.
        """
        return staging.stage(
            self._session,
            source,
            sha256=sha256,
            size_bytes=size_bytes,
            base=base,
            on_event=listener("upload", on_event),
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

    def probe(self, runtimes: Sequence[str] | None = None, *, on_event: OnEvent = ignore) -> ProbeResult:
        """Find out which runtimes really work there, each in a child process.

        Args:
            runtimes: names; None means all that the agent knows.
            on_event: hears that the agent is busy.
        """
        names = None if runtimes is None else list(runtimes)
        reply = self._session.request("probe", {"runtimes": names}, on_event=listener("probe", on_event))
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
        limit_s = measure_s((options or RunOptions()).timeout_s, request.processes + request.memory)
        reply = self._session.request("measure", params, on_event=listener("measure", on_event), deadline_s=limit_s)
        wall_ns = time.monotonic_ns() - started
        result = MeasureResult.parse(Fields(reply.result, "measure"))
        claimed_ns = sum(run.total_ns for run in result.runs)
        if claimed_ns > wall_ns * (1 + _CLOCK_ERROR):
            raise ProtocolError(
                f"the device claims {claimed_ns / 1e9:.3f} s of work, but only {wall_ns / 1e9:.3f} s went by here",
                hint="its clock is wrong, or it is not honest; do not trust its numbers",
            )
        return result

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
            on_event=listener(verb, on_event),
            payload_limit_bytes=output_limit_bytes,
            deadline_s=child_s((options or RunOptions()).timeout_s),
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
