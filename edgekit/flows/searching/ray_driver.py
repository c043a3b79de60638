"""The process that speaks with a Ray cluster: it begins tasks, passes on what they say, and ends them."""

from __future__ import annotations

import atexit
import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from edgekit.core.errors import ConfigurationError, EdgekitError, InternalError
from edgekit.flows.ray_cluster import ray_cluster
from edgekit.flows.searching.job import Job, Report, Said
from edgekit.flows.searching.processes import END
from edgekit.flows.searching.ray_crew import Begin, Kill
from edgekit.flows.searching.worker import Worker

TRIAL_CPUS = 1
TRIAL_MEMORY_BYTES = 1 << 30
"""What Ray sets aside for a trial: a conversion takes 0.6 to 0.85 GB, and one core."""

_LOOK_S = 0.02
_CANCEL_S = 5.0


def serve(job: Job, connection: Connection[Any, Any], _slot: int) -> None:
    """The loop of the process, until it is sent `END` or its parent is gone."""
    try:
        with _cluster(job) as ray:
            _Driver(ray, job, connection).run()
    except EdgekitError as error:
        connection.send(Report(worker="ray", said=Said.BROKEN, error=error.as_json()))


class _Driver:
    def __init__(self, ray: Any, job: Job, connection: Connection[Any, Any]) -> None:
        self._ray = ray
        self._connection = connection
        self._task = ray.remote(
            num_cpus=TRIAL_CPUS, memory=TRIAL_MEMORY_BYTES, max_retries=0, scheduling_strategy="SPREAD"
        )(_trial)
        self._key = secrets.token_hex(8)
        self._job = ray.put(job)
        self._streams: dict[Any, str] = {}
        self._ending: set[str] = set()

    def run(self) -> None:
        while True:
            while self._connection.poll(0 if self._streams else None):
                message = self._connection.recv()
                if message == END:
                    self._end_all()
                    return
                if isinstance(message, Begin):
                    self._begin(message)
                elif isinstance(message, Kill):
                    self._end(message.worker, force=True)
            self._pass_on(_LOOK_S)

    def _begin(self, message: Begin) -> None:
        resources = {} if message.device is None else {resource_of(message.device): 1}
        task = self._task.options(num_returns="streaming", resources=resources)
        devices = () if message.device is None else (message.device,)
        self._streams[task.remote(self._key, self._job, message.worker, devices)] = message.worker

    def _pass_on(self, timeout_s: float) -> None:
        """Send on what tasks have said."""
        if not self._streams:
            return
        for stream in self._ray.wait(list(self._streams), num_returns=1, timeout=timeout_s)[0]:
            worker = self._streams[stream]
            try:
                report = self._ray.get(next(stream))
            except StopIteration:  # it said its last before
                del self._streams[stream]
                continue
            except self._ray.exceptions.RayError as gone:
                del self._streams[stream]
                report = self._gone(worker, gone)
            self._connection.send(report)

    def _gone(self, worker: str, gone: Exception) -> Report:
        exceptions = self._ray.exceptions
        if worker in self._ending and isinstance(gone, exceptions.TaskCancelledError):
            return Report(worker=worker, said=Said.HANDED_BACK)
        if isinstance(gone, exceptions.RayTaskError) and not isinstance(gone, exceptions.TaskCancelledError):
            error = InternalError(f"a task of Ray failed: {str(gone).strip().splitlines()[-1]}", traceback=str(gone))
            return Report(worker=worker, said=Said.BROKEN, error=error.as_json())
        return Report(worker=worker, said=Said.GONE, text=f"on Ray ended: {type(gone).__name__}")

    def _end(self, worker: str, *, force: bool) -> None:
        for stream, name in self._streams.items():
            if name == worker:
                self._ending.add(worker)
                with suppress(self._ray.exceptions.RayError):
                    self._ray.cancel(stream, force=force)

    def _end_all(self) -> None:
        for worker in list(self._streams.values()):
            self._end(worker, force=False)
        ray_waits = int(_CANCEL_S / _LOOK_S)
        while self._streams and ray_waits > 0:
            self._pass_on(_LOOK_S)
            ray_waits -= 1


def resource_of(device: str) -> str:
    """Name of the resource that a Ray node declares for a device that it reaches."""
    return f"edgekit-device-{device}"


@contextmanager
def _cluster(job: Job) -> Iterator[Any]:
    """The cluster of the request's address; one of this computer's own lives as long as this process.

    Raises:
        UnsupportedError: Ray is not installed.
        NetworkError: there is no cluster, or it does not answer.
        ConfigurationError: no node of it reaches one of the devices.
    """
    request = job.request
    assert request.ray is not None
    with ray_cluster(
        request.ray,
        cpus=max(request.workers, os.cpu_count() or 1),
        resources={resource_of(device): 1 for device in request.devices},
        folder=Path(tempfile.gettempdir()),  # this process's own: see Child
        environment={"RAY_gcs_rpc_server_reconnect_timeout_s": "10"},  # not 60: it ends with the head, is started anew
    ) as ray:
        lacking = [device for device in request.devices if resource_of(device) not in ray.cluster_resources()]
        if lacking:
            declared = f'{{"{resource_of(lacking[0])}": 1}}'
            raise ConfigurationError(
                f"no node of the Ray cluster says that it reaches {', '.join(lacking)}",
                hint=f"on one that does: ray start --address=... --resources='{declared}'",
            )
        yield ray


_workers: dict[str, Worker] = {}
"""In a process of Ray's: the worker of the search that it serves, kept from one task to the next."""


def _trial(key: str, job: Job, name: str, devices: tuple[str, ...]) -> Iterator[Report]:
    """The task: one trial."""
    if key not in _workers:
        _close_all()
        _workers[key] = Worker(job, name, lambda _report: None)
    worker = _workers[key]
    worker.name = name
    yield from worker.reports(devices, stopped=lambda: False)


def _close_all() -> None:
    while _workers:
        _workers.popitem()[1].__exit__(None, None, None)


atexit.register(_close_all)
