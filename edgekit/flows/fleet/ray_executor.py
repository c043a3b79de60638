"""The work of a rollout on the machines of a Ray cluster, for fleets that one computer cannot serve in time."""

from __future__ import annotations

import math
import os
import tempfile
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import edgekit
from edgekit.core.device_entry import DeviceEntry
from edgekit.core.errors import ConfigurationError, NetworkError
from edgekit.core.events import ignore
from edgekit.flows.fleet.executor import Stopped, Work
from edgekit.flows.fleet.member import Fault, Member, State
from edgekit.flows.fleet.order import Release
from edgekit.flows.fleet.work import MemberWork
from edgekit.flows.ray_cluster import ray_cluster

_START_S = 120.0
"""A worker imports edgekit when it starts; one whose machine is busy with other work takes its time."""
_CLOSE_S = 5.0


@contextmanager
def on_ray(address: str, *, parallel: int) -> Iterator[OnRay]:
    """An executor on a cluster, every machine of which needs this edgekit, a route to the devices, and the log-in keys.

    Args:
        address: see `ray_cluster`.
        parallel: devices at once, in the whole cluster.

    Raises:
        UnsupportedError: Ray is not installed.
        NetworkError: there is no cluster, or none of its workers comes up.
        ConfigurationError: a worker has another edgekit.
    """
    with ray_cluster(address, cpus=min(parallel, os.cpu_count() or 1)) as ray:
        executor = OnRay(ray, f"the Ray cluster at {address}", parallel=parallel)
        try:
            yield executor
        finally:
            executor.close()


class OnRay:
    """Workers of a cluster: a process for each of its processors, which deploys to several devices at once.

    A deploy waits for its device most of the time, so a worker has threads. A worker that dies takes the results of its
    own devices along, and another one is started in its place.

    Args:
        ray: the module, connected.
        cluster: what to call the cluster.
        parallel: devices at once, in the whole cluster.

    Raises:
        NetworkError: no worker comes up.
        ConfigurationError: a worker has another edgekit.
    """

    def __init__(self, ray: Any, cluster: str, *, parallel: int) -> None:
        self._ray = ray
        self._cluster = cluster
        self._workers = max(1, min(parallel, int(ray.cluster_resources().get("CPU", 1))))
        self._each = math.ceil(parallel / self._workers)
        self._parallel = parallel
        self._actor = ray.remote(
            num_cpus=1, max_concurrency=self._each, max_restarts=0, max_task_retries=0, scheduling_strategy="SPREAD"
        )(_Worker)
        self._ready: list[_Hired] = []
        self._starting: dict[Any, _Hired] = {}
        self._last_words = f"none has come up within {_START_S:.0f} s"
        self._foreign = ""
        try:
            for _ in range(self._workers):
                self._start()
            while self._starting and not self._ready:
                self._wait_for_a_worker()
        except Exception as gone:
            if not self._is_end(gone):
                raise
            self._last_words = _last_line(gone)
        if not self._ready and self._foreign:
            raise ConfigurationError(
                f"a worker of {cluster} has edgekit {self._foreign}, this is {edgekit.__version__}",
                hint="install the same edgekit on every machine of the cluster",
            )
        if not self._ready:
            raise NetworkError(
                f"no worker of {cluster} can deploy: {self._last_words}",
                hint="every machine of it needs this edgekit, and a processor that is free",
            )

    def run(self, work: Work, entries: Iterable[DeviceEntry], stopped: Stopped) -> Iterator[Member]:
        """See `Executor`. Progress within a device is not heard of; its end is.

        A cluster that is gone ends its devices as unreachable, and those that were not begun as skipped.
        """
        waiting, running = deque(entries), dict[Any, tuple[DeviceEntry, _Hired]]()
        try:
            packed = self._ray.put(_packed(work))
            while True:
                while waiting and len(running) < self._parallel and not stopped() and (hired := self._idlest()):
                    task = hired.actor.deploy.remote(packed, waiting[0])
                    running[task] = (waiting.popleft(), hired)
                    hired.busy += 1
                if running:
                    yield from self._concluded(running)
                elif waiting and self._starting and not stopped():
                    self._wait_for_a_worker()
                else:
                    break
        except Exception as gone:
            if not self._is_end(gone):
                raise
            self._last_words = f"{self._cluster} is gone: {_last_line(gone)}"
            for entry, _ in running.values():
                yield _lost(entry, self._last_words)
            running.clear()
        finally:
            self._leave_in_order(list(running))
        if not stopped():
            for entry in waiting:
                yield _not_begun(entry, self._last_words)

    def close(self) -> None:
        """Have the workers remove what they have kept; their processes end with the connection."""
        with suppress(Exception):  # the cluster may be gone
            closing = [hired.actor.close.remote() for hired in self._ready]
            if closing:
                self._ray.wait(closing, num_returns=len(closing), timeout=_CLOSE_S)

    def _is_end(self, error: Exception) -> bool:
        """Whether an error is the cluster's end; Ray's client raises a plain exception once it has given up."""
        known = isinstance(error, (ConnectionError, self._ray.exceptions.RayError))
        return known or not self._ray.is_initialized()

    def _idlest(self) -> _Hired | None:
        free = [hired for hired in self._ready if hired.busy < self._each]
        return min(free, key=lambda hired: hired.busy, default=None)

    def _start(self) -> None:
        hired = _Hired(actor=self._actor.remote())
        self._starting[hired.actor.version.remote()] = hired

    def _wait_for_a_worker(self) -> None:
        answers = self._ray.wait(list(self._starting), num_returns=1, timeout=_START_S)[0]
        for answer in answers:
            self._hire(answer)
        if not answers:
            self._starting.clear()

    def _hire(self, answer: Any) -> None:
        """A worker has come up, or has not."""
        hired = self._starting.pop(answer)
        try:
            version = self._ray.get(answer)
        except self._ray.exceptions.RayError as gone:
            self._last_words = _last_line(gone)
            return
        if version == edgekit.__version__:
            self._ready.append(hired)
            return
        self._foreign = version
        self._last_words = f"a worker has edgekit {version}, this is {edgekit.__version__}"

    def _concluded(self, running: dict[Any, tuple[DeviceEntry, _Hired]]) -> Iterator[Member]:
        """Wait until a device is concluded, or a worker has come up."""
        (ended,) = self._ray.wait([*self._starting, *running], num_returns=1)[0]
        if ended in self._starting:
            self._hire(ended)
            return
        member = self._member(ended, *running[ended])
        del running[ended]
        yield member

    def _member(self, task: Any, entry: DeviceEntry, hired: _Hired) -> Member:
        hired.busy -= 1
        try:
            member: Member = self._ray.get(task)
        except self._ray.exceptions.RayTaskError as bug:  # `work` itself raises nothing
            return replace(_lost(entry, f"a bug in edgekit: {_last_line(bug)}"), fault=Fault.INTERNAL, counts=True)
        except self._ray.exceptions.RayError as gone:
            if hired in self._ready:
                self._ready.remove(hired)
                self._start()
            reason = f"the worker that deployed to it is gone ({type(gone).__name__})"
            return _lost(entry, f"{reason}; --resume tries the device again")
        return member

    def _leave_in_order(self, running: list[Any]) -> None:
        """An interruption waits for the devices that were begun, as that of threads does."""
        if running:
            with suppress(Exception):  # the cluster may be gone
                self._ray.wait(running, num_returns=len(running))


@dataclass(kw_only=True, eq=False)
class _Hired:
    """A worker from this side.

    Attributes:
        actor: Ray's handle of it.
        busy: devices that it deploys to now.
    """

    actor: Any
    busy: int = 0


class _Worker:
    """On a machine of the cluster; called by several threads."""

    def __init__(self) -> None:
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._lock = threading.Lock()

    def version(self) -> str:
        return edgekit.__version__

    def deploy(self, packed: _Packed, entry: DeviceEntry) -> Member:
        releases = {
            name: self._kept(release, packed.files[name]) for name, release in packed.work.order.releases.items()
        }
        return replace(packed.work, order=replace(packed.work.order, releases=releases))(entry)

    def close(self) -> None:
        with self._lock:
            if self._folder is not None:
                self._folder.cleanup()
            self._folder = None

    def _kept(self, release: Release, data: bytes) -> Release:
        """The release with its bundle in a file here."""
        with self._lock:
            if self._folder is None:  # one that never deploys leaves nothing
                self._folder = tempfile.TemporaryDirectory(prefix="edgekit-fleet-")
            path = Path(self._folder.name) / f"{release.bundle.digest}.edgekit"
            if not path.exists():
                path.write_bytes(data)
        return replace(release, bundle=replace(release.bundle, path=path))


@dataclass(frozen=True, kw_only=True)
class _Packed:
    """Work with the bytes of its bundles, for machines that do not have the files."""

    work: MemberWork
    files: Mapping[str, bytes]


def _packed(work: Work) -> _Packed:
    assert isinstance(work, MemberWork)
    files = {name: release.bundle.path.read_bytes() for name, release in work.order.releases.items()}
    return _Packed(work=replace(work, order=replace(work.order, on_event=ignore)), files=files)


def _lost(entry: DeviceEntry, reason: str) -> Member:
    return Member(
        device=entry.name,
        target=entry.target,
        state=State.UNREACHABLE,
        reason=reason,
        fault=Fault.INFRASTRUCTURE,
    )


def _not_begun(entry: DeviceEntry, reason: str) -> Member:
    return Member(device=entry.name, target=entry.target, state=State.SKIPPED, reason=f"not begun: {reason}")


def _last_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[-1].strip()
