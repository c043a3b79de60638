"""What a flow works with: a scratch folder, the cache, a child process for foreign code, and its listener."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from edgekit.core.caching import Cache
from edgekit.core.events import Event, OnEvent
from edgekit.core.files import storage_errors
from edgekit.core.isolation import Isolate
from edgekit.store.cache import Cache as ArtifactCache
from edgekit.store.cache import DamagedEntry, default_root


@dataclass(frozen=True, kw_only=True)
class Workspace:
    """Tools of one flow.

    Attributes:
        work: scratch folder, gone when the flow ends.
        cache: results of earlier runs.
        isolate: child process; it starts with its first call.
        on_event: listener.
    """

    work: Path
    cache: Cache
    isolate: Isolate
    on_event: OnEvent

    def tell(self, phase: str, message: str, *, done: int | None = None, total: int | None = None) -> None:
        """Send one event."""
        self.on_event(Event(phase=phase, message=message, done=done, total=total))


@contextmanager
def workspace(on_event: OnEvent) -> Iterator[Workspace]:
    """Open a workspace and clean up behind it."""

    def on_damage(damage: DamagedEntry) -> None:
        on_event(Event(phase="cache", message=f"a damaged cache entry is built again: {damage.reason}"))

    with (
        storage_errors(Path(tempfile.gettempdir())),
        tempfile.TemporaryDirectory(prefix="edgekit-") as folder,
        Isolate() as isolate,
    ):
        yield Workspace(
            work=Path(folder),
            cache=ArtifactCache(default_root(), on_damage=on_damage),
            isolate=isolate,
            on_event=on_event,
        )
