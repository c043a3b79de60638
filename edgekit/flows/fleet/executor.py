"""What carries out the work on several devices at once, never more than so many."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Protocol

from edgekit.core.device_entry import DeviceEntry
from edgekit.flows.fleet.member import Member

Work = Callable[[DeviceEntry], Member]
"""Deploys to one device; it raises nothing, what went wrong is in the member."""

Stopped = Callable[[], bool]


class Executor(Protocol):
    """Runs work on devices."""

    def run(self, work: Work, entries: Iterable[DeviceEntry], stopped: Stopped) -> Iterator[Member]:
        """The members as they are concluded.

        Args:
            work: for each device.
            entries: begun in this order.
            stopped: once it is true no further device is begun; those that were are waited for.
        """


@dataclass(frozen=True, kw_only=True)
class Threads:
    """Threads of this process: a deploy waits for its device most of the time.

    Attributes:
        parallel: devices at once.
    """

    parallel: int

    def run(self, work: Work, entries: Iterable[DeviceEntry], stopped: Stopped) -> Iterator[Member]:
        """See `Executor`. An interruption waits for the devices that were begun: each is left in order."""
        waiting = deque(entries)
        running: set[Future[Member]] = set()
        with ThreadPoolExecutor(self.parallel, thread_name_prefix="edgekit-fleet") as pool:
            while True:
                while waiting and len(running) < self.parallel and not stopped():
                    running.add(pool.submit(work, waiting.popleft()))
                if not running:
                    return
                done, running = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    yield future.result()
