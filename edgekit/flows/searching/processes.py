"""Workers as processes of this computer: the default, without any server."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any, Protocol

from edgekit.flows.searching.child import Child
from edgekit.flows.searching.job import Job, Report, Said
from edgekit.flows.searching.worker import Worker
from edgekit.flows.searching.worker_names import is_running, name_of

END = "end"
"""What a child is sent last: it gives back the trial that it is at, and ends."""


class Crew(Protocol):
    """Workers of a search; the coordinator's view of them."""

    def is_free(self, devices: Sequence[str]) -> bool:
        """Whether somebody can begin a trial.

        Args:
            devices: that are in order.
        """

    @property
    def busy(self) -> int:
        """How many are at a trial."""

    def begin(self, devices: Sequence[str]) -> None:
        """Have one who is free begin a trial.

        Args:
            devices: that he may hold.
        """

    def wait(self, timeout_s: float) -> list[Report]:
        """What they say; empty when nobody said anything in that time."""

    def kill(self, worker: str) -> None:
        """End a worker at once; its end comes as a report."""

    def end(self, within_s: float) -> list[Report]:
        """Have all give their trials back and end; those that do not in that time are killed. Returns last words."""

    def is_alive(self, worker: str) -> bool:
        """Whether a worker of any search may still be at its trial."""


@dataclass
class _Slot:
    child: Child
    name: str
    is_busy: bool = False


class Processes:
    """A process for each worker, started when it is needed first; see `Crew`.

    Args:
        job: the work.
        workers: how many at most.
    """

    def __init__(self, job: Job, workers: int) -> None:
        self._job = job
        self._most = workers
        self._slots: dict[int, _Slot] = {}

    def is_free(self, _devices: Sequence[str]) -> bool:
        """See `Crew`. Devices are waited for when they are needed."""
        return self.busy < self._most

    @property
    def busy(self) -> int:
        """See `Crew`."""
        return sum(slot.is_busy for slot in self._slots.values())

    def begin(self, devices: Sequence[str]) -> None:
        """See `Crew`."""
        slot = next((slot for slot in self._slots.values() if not slot.is_busy), None) or self._started()
        slot.is_busy = True
        slot.child.send(tuple(devices))

    def wait(self, timeout_s: float) -> list[Report]:
        """See `Crew`."""
        speaking = {slot.child.connection: slot for slot in self._slots.values()}
        if not speaking:
            time.sleep(timeout_s)
        return [
            self._read(speaking[ready]) for ready in wait(list(speaking), timeout_s) if isinstance(ready, Connection)
        ]

    def kill(self, worker: str) -> None:
        """See `Crew`."""
        for slot in self._slots.values():
            if slot.name == worker:
                slot.child.kill()

    def end(self, within_s: float) -> list[Report]:
        """See `Crew`."""
        for slot in self._slots.values():
            slot.child.send(END)
        reports: list[Report] = []
        deadline = time.monotonic() + within_s
        try:
            while self.busy and (left_s := deadline - time.monotonic()) > 0:
                reports += self.wait(left_s)
        finally:
            idle = [slot for slot in self._slots.values() if not slot.is_busy]
            for slot in [slot for slot in self._slots.values() if slot.is_busy]:
                slot.child.close()
            for slot in idle:
                slot.child.close(max(1.0, deadline - time.monotonic()))
            self._slots.clear()
        return reports

    def is_alive(self, worker: str) -> bool:
        """See `Crew`."""
        return is_running(worker)

    def _started(self) -> _Slot:
        place = next(place for place in range(self._most) if place not in self._slots)
        child = Child(f"{__name__}:serve", self._job, slot=place, log=self._job.log)
        self._slots[place] = _Slot(child=child, name=name_of(child.pid))
        return self._slots[place]

    def _read(self, slot: _Slot) -> Report:
        try:
            report: Report = slot.child.connection.recv()
        except (EOFError, OSError):
            del self._slots[slot.child.slot]
            report = Report(worker=slot.name, said=Said.GONE, text=slot.child.ended())
            slot.child.close()
        if report.ends:
            slot.is_busy = False
        return report


def serve(job: Job, connection: Connection[Any, Any], slot: int) -> None:
    """The loop of a worker process: each message but `END` begins a trial, and names the devices for it."""
    with Worker(job, name_of(os.getpid()), connection.send, offset=slot) as worker:
        while (message := connection.recv()) != END:
            for report in worker.reports(message, stopped=connection.poll):
                connection.send(report)
    with suppress(OSError):
        connection.close()
