"""Workers as tasks of a Ray cluster; a process of our own speaks with it, so that its death is not ours."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from edgekit.flows.searching.child import Child
from edgekit.flows.searching.job import Job, Report, Said
from edgekit.flows.searching.processes import END
from edgekit.flows.searching.worker_names import is_running

_DRIVER = "edgekit.flows.searching.ray_driver:serve"
_RUN_DIGITS = 8


@dataclass(frozen=True, kw_only=True)
class Begin:
    """Has the driver begin a trial.

    Attributes:
        worker: its name in the study.
        device: that it holds as a Ray resource; None for none.
    """

    worker: str
    device: str | None


@dataclass(frozen=True, kw_only=True)
class Kill:
    """Has the driver end a trial at once."""

    worker: str


class RayCrew:
    """Tasks of a Ray cluster, as many at once as there are workers and, with devices, as there are devices.

    The process that speaks with Ray ends with the cluster's head; then the trials of all tasks wait again and another
    one is started, with a new cluster where it is this computer's own. See `Crew`.

    Args:
        job: the work; its `request.ray` is the address.
    """

    def __init__(self, job: Job) -> None:
        self._job = job
        self._run = uuid.uuid4().hex[:_RUN_DIGITS]
        self._count = 0
        self._tasks: dict[str, str | None] = {}
        self._driver: Child | None = None

    @property
    def busy(self) -> int:
        """See `Crew`."""
        return len(self._tasks)

    def is_free(self, devices: Sequence[str]) -> bool:
        """See `Crew`. Each trial holds one device from its beginning: as a resource of Ray's."""
        if len(self._tasks) >= self._job.request.workers:
            return False
        return not self._job.request.devices or bool(self._unheld(devices))

    def begin(self, devices: Sequence[str]) -> None:
        """See `Crew`."""
        if self._driver is None:
            self._driver = Child(_DRIVER, self._job, slot=0, log=self._job.log)
        self._count += 1
        worker = f"ray/{self._run}/{self._count}"
        self._tasks[worker] = next(iter(self._unheld(devices)), None)
        self._driver.send(Begin(worker=worker, device=self._tasks[worker]))

    def wait(self, timeout_s: float) -> list[Report]:
        """See `Crew`."""
        driver = self._driver
        if driver is None:
            time.sleep(timeout_s)
            return []
        reports: list[Report] = []
        try:
            while driver.connection.poll(0.0 if reports else timeout_s):
                report: Report = driver.connection.recv()
                if report.ends:
                    self._tasks.pop(report.worker, None)
                reports.append(report)
        except (EOFError, OSError):
            reports += self._lost(driver)
        return reports

    def kill(self, worker: str) -> None:
        """See `Crew`."""
        if self._driver is not None:
            self._driver.send(Kill(worker=worker))

    def end(self, within_s: float) -> list[Report]:
        """See `Crew`."""
        if self._driver is None:
            return []
        self._driver.send(END)
        reports: list[Report] = []
        deadline = time.monotonic() + within_s
        try:
            while self._driver is not None and (left_s := deadline - time.monotonic()) > 0:
                reports += [report for report in self.wait(left_s) if report.said is not Said.GONE]
        finally:
            if self._driver is not None:
                self._driver.close()
            self._driver = None
            self._tasks.clear()
        return reports

    def is_alive(self, worker: str) -> bool:
        """See `Crew`. A task ends with the process that asked for it, so only those of this one live."""
        return worker in self._tasks or is_running(worker)

    def _unheld(self, devices: Sequence[str]) -> list[str]:
        held = set(self._tasks.values())
        return [device for device in devices if device not in held]

    def _lost(self, driver: Child) -> list[Report]:
        """The driver died, and with it all tasks."""
        tasks, self._tasks, self._driver = list(self._tasks), {}, None
        text = f"that spoke with Ray {driver.ended()}"
        driver.close()
        given_back = [Report(worker=worker, said=Said.HANDED_BACK) for worker in tasks]
        return [*given_back, Report(worker=f"ray/{self._run}", said=Said.GONE, text=text)]
