"""What a device shall do with releases, without files, processes or locks: the model of a random walk."""

from __future__ import annotations

from dataclasses import dataclass, field


class RefusalError(Exception):
    """The device has to refuse; carries the code."""


@dataclass(kw_only=True)
class ReleaseModel:
    """Releases by digest.

    Attributes:
        bad, late: those that never run, and those that run until they are active.
        history: those that were active, newest first.
        trial: active, and not confirmed.
    """

    bad: set[str]
    late: set[str]
    active: str | None = None
    previous: str | None = None
    history: list[str] = field(default_factory=list)
    pinned: list[str] = field(default_factory=list)
    failed: set[str] = field(default_factory=set)
    stored: set[str] = field(default_factory=set)
    trial: str | None = None

    @property
    def links(self) -> tuple[str | None, str | None]:
        """What `current` and `previous` lead to."""
        return (self.trial, self.active) if self.trial else (self.active, self.previous)

    def deploy(self, digest: str, *, on_trial: bool = False, retry: bool = False) -> None:
        """Activate."""
        if self.trial not in (None, digest):
            raise RefusalError("E_LOCKED")
        if digest in self.failed and not retry and digest not in (self.active, self.trial):
            raise RefusalError("E_ROLLED_BACK")
        if digest == self.active:
            return
        if digest != self.trial:
            self._prove(digest)
            self.stored.add(digest)
            self.trial = digest
        if not on_trial:
            self._commit(digest)

    def confirm(self, digest: str) -> None:
        """End a trial well."""
        if digest == self.trial:
            self._commit(digest)
        elif digest != self.active:
            raise RefusalError("E_ROLLED_BACK" if digest in self.failed else "E_INPUT")

    def end_trial(self) -> None:
        """Its time is over, or the machine has restarted."""
        if self.trial:
            self.failed.add(self.trial)
            self.trial = None

    def rollback(self, to: str | None) -> None:
        """Go back."""
        if self.trial:
            self.end_trial()
            if to is None:
                return
        target = to or self.previous
        if target is None or target not in (*self.history, *self.pinned):
            raise RefusalError("E_INPUT")
        if target != self.active:
            self._commit(target)

    def pin(self, digest: str, *, pinned: bool) -> None:
        """Pin or unpin."""
        if pinned and digest not in (*self.history, *self.pinned):
            raise RefusalError("E_INPUT")
        self.pinned = [one for one in self.pinned if one != digest] + ([digest] if pinned else [])

    def collect(self, keep: int) -> None:
        """Forget what nobody needs."""
        stay = {*self.history[:keep], *self.pinned, self.active, self.previous, self.trial}
        if not self.stored <= stay:
            self.history = [one for one in self.history if one in stay]
        self.stored &= stay

    def _prove(self, digest: str) -> None:
        if digest in self.bad:
            self.failed.add(digest)
            raise RefusalError("E_DEVICE")
        if digest in self.late:
            self.failed.add(digest)
            self.stored.add(digest)
            raise RefusalError("E_ROLLED_BACK")

    def _commit(self, digest: str) -> None:
        self.previous, self.active, self.trial = self.active, digest, None
        self.history = [digest, *(one for one in self.history if one != digest)]
        self.failed.discard(digest)
