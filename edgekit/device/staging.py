"""Putting a blob on a device: resumed, compressed, or as what differs from one that is there."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from device_agents.linux import protocol
from edgekit.core.digest import sha256_bytes, sha256_file
from edgekit.core.errors import ProtocolError, VerificationError
from edgekit.core.files import require_readable
from edgekit.device.deadlines import transfer_s
from edgekit.device.fields import Fields
from edgekit.device.once import Once
from edgekit.device.upload import StageResult, Upload, deflate_gains, delta_gains

if TYPE_CHECKING:
    from edgekit.device.delta import Delta
    from edgekit.device.session import OnAgentEvent, Session

MIN_DELTA_BYTES = 4 * 1024
"""Shorter files travel without a delta."""

_DELTAS: Once[tuple[str, str], Delta | None] = Once(2)
_DEFLATE_GAINS: Once[str, bool] = Once(64)
"""A fleet gets the same files: what is found out for one device holds for the others."""


@dataclass(frozen=True, kw_only=True)
class Base:
    """A blob that a device has, and whose bytes we have too: where a delta starts from.

    Attributes:
        sha256: its name.
        data: its bytes.
    """

    sha256: str
    data: bytes = field(repr=False)


def takes_deltas(session: Session) -> bool:
    """Whether a delta is worth looking for: bytes leave this computer, and the agent there can decode it."""
    return session.is_remote and protocol.DELTA in session.hello.encodings


def stage(
    session: Session,
    source: Path | bytes,
    *,
    sha256: str | None = None,
    size_bytes: int | None = None,
    base: Base | None = None,
    on_event: OnAgentEvent | None = None,
) -> StageResult:
    """See `DeviceClient.stage`."""
    if isinstance(source, Path):
        require_readable(source, what="file to upload")
        digest = sha256 or sha256_file(source)
        with source.open("rb") as file:
            size = source.stat().st_size if size_bytes is None else size_bytes
            return _Staging(session, file, digest, size, on_event).run(base)
    return _Staging(session, io.BytesIO(source), sha256 or sha256_bytes(source), len(source), on_event).run(base)


@dataclass(frozen=True)
class _Staging:
    """One blob on its way."""

    session: Session
    source: Any
    sha256: str
    size_bytes: int
    on_event: OnAgentEvent | None

    def run(self, base: Base | None) -> StageResult:
        delta = None if base is None else self._delta(base)
        if delta is not None:
            try:
                return self._request(protocol.DELTA, delta)
            except VerificationError as refusal:
                if refusal.details.get("blob") != delta.base_sha256:
                    raise
        known = self.session.is_remote and protocol.DEFLATE in self.session.hello.encodings
        gains = known and _DEFLATE_GAINS.get(self.sha256, lambda: deflate_gains(self.source, self.size_bytes))
        return self._request(protocol.DEFLATE if gains else None, None)

    def _delta(self, base: Base) -> Delta | None:
        from edgekit.device import delta

        if not takes_deltas(self.session) or not MIN_DELTA_BYTES <= self.size_bytes <= delta.LIMIT_BYTES:
            return None
        self.source.seek(0)
        data = self.source.read(self.size_bytes)
        if base.sha256 == self.sha256 or len(data) < self.size_bytes or sha256_bytes(data) != self.sha256:
            return None  # the device has it, or the source changed, which the plain way finds out

        def between() -> Delta | None:
            found = delta.Delta.between(data, base.data, base.sha256)
            return found if delta_gains(found, self.source, self.size_bytes) else None

        return _DELTAS.get((self.sha256, base.sha256), between)

    def _request(self, encoding: str | None, delta: Delta | None) -> StageResult:
        params: dict[str, object] = {"sha256": self.sha256, "size": self.size_bytes, "holes": True}
        if encoding is not None:
            params["encoding"] = encoding
        if delta is not None:
            params["base"] = delta.base_sha256
        reply = self.session.request(
            "stage",
            params,
            upload=Upload(source=self.source, size_bytes=self.size_bytes, encoding=encoding, delta=delta),
            on_event=self.on_event,
            deadline_s=transfer_s(self.size_bytes),
        )
        fields = Fields(reply.result, "stage")
        if fields.digest("sha256") != self.sha256:
            raise ProtocolError(f"asked to store {self.sha256}, the agent stored something else", hint="try again")
        return StageResult(
            sha256=self.sha256,
            sent_bytes=fields.integer("sent"),
            transferred_bytes=reply.uploaded_bytes,
            already=fields.boolean("already"),
        )
