"""Devices without a process: they answer as a device would, and go wrong as they are told, connection by connection."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from edgekit.core.device_entry import DeviceEntry
from edgekit.core.digest import sha256_bytes
from edgekit.core.errors import EdgekitError
from edgekit.device.client import DeviceClient
from edgekit.device.control import Terms
from edgekit.device.replies import Activation, Hello, Lease, ProbeResult, Rollback, RuntimeFacts, Status
from edgekit.device.upload import StageResult

_DIGEST = "a" * 64
_PLENTY_BYTES = 1 << 30


@dataclass(frozen=True, kw_only=True)
class Act:
    """What happens on one connection.

    Attributes:
        connect, activate: raised there; None if it goes well.
        free_bytes: on its disk.
        switched: whether an activation that raises has made the release active before.
    """

    connect: EdgekitError | None = None
    activate: EdgekitError | None = None
    free_bytes: int = _PLENTY_BYTES
    switched: bool = False


WELL = Act()


@dataclass(kw_only=True)
class FakeDevices:
    """Devices by name.

    Attributes:
        plans: what happens on the next connections to a device; then all is well.
        active: what each runs, if not what all run at the beginning.
        connections: how many there were to each.
    """

    plans: dict[str, deque[Act]] = field(default_factory=lambda: defaultdict(deque))
    active: dict[str, str | None] = field(default_factory=dict)
    connections: Counter[str] = field(default_factory=Counter)

    def plan(self, device: str, acts: Iterable[Act]) -> None:
        """Add to what happens on a device."""
        self.plans[device].extend(acts)

    def connect(self, entry: DeviceEntry) -> DeviceClient:
        """A client that follows the plan."""
        self.connections[entry.name] += 1
        plan = self.plans[entry.name]
        return _FakeClient(self, entry.name, plan.popleft() if plan else WELL)


class _FakeClient(DeviceClient):
    def __init__(self, site: FakeDevices, name: str, act: Act) -> None:
        self._site, self._name, self._act = site, name, act
        self._token: int | None = None

    def __enter__(self) -> Self:
        if self._act.connect is not None:
            raise self._act.connect
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    @property
    def hello(self) -> Hello:
        return Hello(
            protocol=1, agent=_DIGEST, python="3.11.2", machine="aarch64", bits=64, libc=("glibc", "2.36"), root="/r",
            boot_id="b", machine_id="m", hostname=self._name, pid=1, encodings=(),
        )  # fmt: skip

    @property
    def takes_deltas(self) -> bool:
        return False

    @property
    def token(self) -> int | None:
        return self._token

    @token.setter
    def token(self, token: int | None) -> None:
        self._token = token

    def status(self, *, manifest: str | None = None) -> Status:  # noqa: ARG002 -- the client's own parameter
        works = RuntimeFacts(ok=True, versions={}, formats=("fake",), delegates=(), reason="")
        return Status(
            active=self._site.active.get(self._name, _DIGEST), previous=None, manifest=None, releases=(), pending=None,
            free_bytes=self._act.free_bytes, total_bytes=_PLENTY_BYTES, free_inodes=None, durable=True, warnings=(),
            locked_by=None, agent=_DIGEST, runtimes={"fake": works}, counter=0, failed={}, bundles=(),
        )  # fmt: skip

    def probe(self, *_: Any, **__: Any) -> ProbeResult:
        return ProbeResult(runtimes={}, environment={})

    def lease(self, owner: str, *, ttl_s: float = 60.0) -> Lease:
        return Lease(owner=owner, token=1, expires_s=ttl_s)

    def release_lease(self) -> None:
        pass

    def stage(self, source: Any, **_: Any) -> StageResult:
        return StageResult(sha256=sha256_bytes(source), sent_bytes=0, transferred_bytes=0, already=True)

    def activate(self, manifest: str, *, terms: Terms | None = None, **_: Any) -> Activation:  # noqa: ARG002 -- as above
        before, digest = self._site.active.get(self._name, _DIGEST), sha256_bytes(manifest.encode())
        if self._act.activate is None or self._act.switched:
            self._site.active[self._name] = digest
        if self._act.activate is not None:
            raise self._act.activate
        return Activation(active=digest, previous=before, unchanged=before == digest, seconds=0.0, golden=None)

    def rollback(self, to: str | None = None, *, reason: str | None = None) -> Rollback:  # noqa: ARG002 -- as above
        self._site.active[self._name] = to
        return Rollback(active=to, previous=None)
