"""What a flow works with: a scratch folder, the cache, a child process for foreign code, this computer, a listener."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from edgekit.core.caching import Cache
from edgekit.core.device_entry import DeviceEntry
from edgekit.core.events import Event, OnEvent
from edgekit.core.files import storage_errors
from edgekit.core.isolation import Isolate
from edgekit.store.cache import Cache as ArtifactCache
from edgekit.store.cache import DamagedEntry, default_root

if TYPE_CHECKING:
    from edgekit.device.client import DeviceClient

LOCALHOST = DeviceEntry(name="localhost", url="local://")


@dataclass(frozen=True, kw_only=True)
class Workspace:
    """Tools of one flow.

    Attributes:
        work: scratch folder, gone when the flow ends.
        cache: results of earlier runs.
        isolate: child process; it starts with its first call.
        on_event: listener.
        stack: what is closed when the flow ends.
    """

    work: Path
    cache: Cache
    isolate: Isolate
    on_event: OnEvent
    stack: ExitStack

    @cached_property
    def localhost(self) -> DeviceClient:
        """This computer as a device, connected at the first use."""
        from edgekit.device.connect import connect  # not needed when every answer is in the cache

        return self.stack.enter_context(connect(LOCALHOST))

    @cached_property
    def own_localhost(self) -> DeviceClient:
        """The same with a root folder of this flow's own, for while another command holds the user's."""
        from edgekit.device.connect import connect

        own = DeviceEntry(name=LOCALHOST.name, url=f"local://{self.work / 'local-device'}")
        return self.stack.enter_context(connect(own))

    @cached_property
    def user_isolate(self) -> Isolate:
        """A child process that may import the user's own modules; it starts with its first call."""
        return self.stack.enter_context(Isolate(user_code=True))

    @property
    def checkpoints(self) -> Path:
        """Where a training that was interrupted goes on from, beside the cache."""
        return default_root().parent / "checkpoints"

    def tell(self, phase: str, message: str, *, done: int | None = None, total: int | None = None) -> None:
        """Send one event."""
        self.on_event(Event(phase=phase, message=message, done=done, total=total))


@contextmanager
def workspace(on_event: OnEvent) -> Iterator[Workspace]:
    """Open a workspace and clean up behind it."""

    def on_damage(damage: DamagedEntry) -> None:
        on_event(Event(phase="cache", message=f"a damaged cache entry is built again: {damage.reason}"))

    with ExitStack() as stack, storage_errors(Path(tempfile.gettempdir())):
        yield Workspace(
            work=Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="edgekit-"))),
            cache=ArtifactCache(default_root(), on_damage=on_damage),
            isolate=stack.enter_context(Isolate()),
            on_event=on_event,
            stack=stack,
        )
