"""The work of a rollout on the machines of a Ray cluster, for fleets that one computer cannot serve in time."""

from __future__ import annotations

import logging
import tempfile
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edgekit.core.device_entry import DeviceEntry
from edgekit.core.errors import NetworkError, UnsupportedError
from edgekit.core.events import ignore
from edgekit.flows.fleet.executor import Stopped, Work
from edgekit.flows.fleet.member import Fault, Member, State
from edgekit.flows.fleet.order import Release
from edgekit.flows.fleet.work import MemberWork

_LOCAL = "local"
_CPUS_OF_A_DEPLOY = 0.25
"""What a deploy takes of a core beside waiting for its device; `scripts/bench fleet` measures it."""


@dataclass(frozen=True, kw_only=True)
class OnRay:
    """Tasks of a Ray cluster. Every worker needs edgekit, a route to the devices and the log-in keys at the same paths.

    Attributes:
        parallel: devices at once, in the whole cluster.
        address: of the cluster, e.g. "ray://head:10001"; "local" starts one on this computer.
    """

    parallel: int
    address: str

    def run(self, work: Work, entries: Iterable[DeviceEntry], stopped: Stopped) -> Iterator[Member]:
        """See `Executor`. Progress within a device is not heard of; its end is.

        Raises:
            UnsupportedError: Ray is not installed.
            NetworkError: there is no cluster at the address.
        """
        ray = _connected(self.address)
        task = ray.remote(num_cpus=_CPUS_OF_A_DEPLOY, max_retries=0, scheduling_strategy="SPREAD")(_carry_out)
        carried = ray.put(_packed(work))
        waiting = deque(entries)
        running: dict[Any, DeviceEntry] = {}
        while True:
            while waiting and len(running) < self.parallel and not stopped():
                entry = waiting.popleft()
                running[task.remote(carried, entry)] = entry
            if not running:
                return
            for done in ray.wait(list(running), num_returns=1)[0]:
                entry = running.pop(done)
                try:
                    yield ray.get(done)
                except ray.exceptions.RayError as gone:  # of the worker; `work` itself raises nothing
                    yield _lost(entry, gone)


def _connected(address: str) -> Any:
    try:
        import ray
    except ImportError as cause:
        raise UnsupportedError("Ray is not installed", hint="pip install 'edgekit-deploy[ray]'") from cause
    if not ray.is_initialized():
        try:
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
        except Exception as cause:  # Ray raises plain exceptions where a cluster does not start in time
            raise NetworkError(f"there is no Ray cluster at {address}: {cause}", hint="ray start --head") from cause
    return ray


@dataclass(frozen=True, kw_only=True)
class _Packed:
    """Work with the bytes of its bundles, for machines that do not have the files."""

    work: MemberWork
    files: Mapping[str, bytes]


def _packed(work: Work) -> _Packed:
    assert isinstance(work, MemberWork)
    files = {name: release.bundle.path.read_bytes() for name, release in work.order.releases.items()}
    return _Packed(work=replace(work, order=replace(work.order, on_event=ignore)), files=files)


def _carry_out(packed: _Packed, entry: DeviceEntry) -> Member:
    """One device, on a worker."""
    with tempfile.TemporaryDirectory(prefix="edgekit-fleet-") as folder:
        releases: dict[str, Release] = {}
        for name, release in packed.work.order.releases.items():
            path = Path(folder) / f"{release.bundle.digest}.edgekit"
            path.write_bytes(packed.files[name])
            releases[name] = replace(release, bundle=replace(release.bundle, path=path))
        return replace(packed.work, order=replace(packed.work.order, releases=releases))(entry)


def _lost(entry: DeviceEntry, gone: Exception) -> Member:
    return Member(
        device=entry.name,
        target=entry.target,
        state=State.UNREACHABLE,
        reason=f"the worker that deployed to it is gone ({type(gone).__name__}); --resume tries the device again",
        fault=Fault.INFRASTRUCTURE,
    )
