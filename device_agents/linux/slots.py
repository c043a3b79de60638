"""Which release is active: activate, rollback and collect, in the order that docs/protocol.md proves.

Every function here runs under the lock and begins with a recovery. What decides whether a release is good (its golden
run in a limited child) is passed in, so that this file holds the order of the writes and nothing else.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress

from device_agents.linux import blobs, durable, environment, links, manifest, releases, state, storage, sweep
from device_agents.linux.errors import AgentError
from device_agents.linux.record import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from device_agents.linux.root import Root

    Prove = Callable[[manifest.Manifest, "dict[str, int]"], "dict[str, Any] | None"]
    Install = Callable[[manifest.Manifest, "dict[str, int]"], None]

_MAX_FAILED = 32


class Slots:
    """The releases of one ROOT.

    Args:
        root: its paths; the folders exist.
        warn: told about every damage that was found and mended.
        progress: told the name of each phase of an activation as it begins.
    """

    def __init__(self, root: Root, warn: Callable[[str], None], progress: Callable[[str], None]) -> None:
        self._root = root
        self._progress = progress
        self._state = links.recover(root, warn)

    def activate(self, text: object, expect: str | None, prove: Prove, install: Install) -> dict[str, Any]:
        """Make a release active, or install a runtime bundle.

        Args:
            text: the manifest.
            expect: the release that the host believes to be active; None means that it does not care.
            prove: runs the golden inputs through verified descriptors (by sha256); raises if the release is bad.
            install: unpacks and proves a runtime bundle.

        Raises:
            AgentError: E_VERIFY, E_UNSUPPORTED, E_DEVICE: refused, and `current` was not touched; E_LOCKED: another
                host activated something since `expect` was read; E_ROLLED_BACK: failed after the switch, undone.
        """
        started = time.monotonic()
        release = manifest.parse(text)
        if expect is not None and expect != self._state.active:
            raise AgentError(
                "E_LOCKED",
                f"the active release is {self._state.active}, not {expect}: another host was faster",
                "look at the device's status, then deploy again",
                active=self._state.active,
                expect=expect,
            )
        self._check_fits(release)
        self._progress("verify")
        with blobs.verified(self._root, [(file.sha256, file.size) for file in release.files.values()]) as opened:
            if self._is_installed(release):
                golden, unchanged = None, True
            elif release.kind == "runtime":
                self._install(release, opened, install)
                golden, unchanged = None, False
            else:
                golden, unchanged = self._switch(release, opened, prove), False
        return {
            "active": self._state.active,
            "previous": self._state.previous,
            "unchanged": unchanged,
            "seconds": round(time.monotonic() - started, 6),
            "golden": golden,
        }

    def rollback(self, to: str | None) -> dict[str, Any]:
        """Go back to `to`, or to the previous release; its files are hashed, and no golden run delays the way back.

        Raises:
            AgentError: E_INPUT when there is no such release, E_VERIFY when its files are damaged.
        """
        target = self._state.previous if to is None else to
        if target is None:
            raise AgentError("E_INPUT", "there is no previous release to go back to", "deploy one")
        if target not in self._state.history:
            raise AgentError("E_INPUT", f"{target} was never active here, or is collected", "deploy it")
        release = releases.load(self._root, target)
        with blobs.verified(self._root, [(file.sha256, file.size) for file in release.files.values()]):
            pass
        before = self._state
        if target != before.active:
            try:
                self._begin(target)
                links.switch(self._root, target, before.active)
                self._commit(release)
            except BaseException:
                self._undo(before, target, None)
                raise
        return {"active": self._state.active, "previous": self._state.previous}

    def collect(self, keep: int, data: bool) -> dict[str, Any]:
        """Remove releases beyond active, previous, pinned and the last `keep`, and the blobs that only they name.

        Args:
            keep: how many of the newest model releases stay, the active one included.
            data: also remove every blob that no release names, and uploads that were never finished.
        """
        bundles = releases.newest_bundles(self._root, self._state.bundles)
        stay = {*self._state.history[:keep], *self._state.pinned, *bundles.values()}
        stay |= {digest for digest in (self._state.active, self._state.previous) if digest}
        removed, freed_bytes = sweep.sweep(self._root, stay, data)
        if removed:
            self._save(
                history=[digest for digest in self._state.history if digest in stay],
                bundles=[digest for digest in self._state.bundles if digest in stay],
            )
        return {"removed": removed, "freed_bytes": freed_bytes}

    def remember_probe(self, runtimes: dict[str, Any]) -> None:
        """Keep the result of a probe for `status`, beside what is known of other runtimes."""
        known = {**self._state.runtimes, **runtimes}
        if known != self._state.runtimes:
            self._save(runtimes=known)

    def _check_fits(self, release: manifest.Manifest) -> None:
        machine = environment.machine()
        if release.machines and machine not in release.machines:
            raise AgentError(
                "E_UNSUPPORTED",
                "the release is for {}, this machine is {}".format(", ".join(release.machines), machine),
                "compile for this device's target",
            )
        if release.format is not None and release.formats and release.format not in release.formats:
            raise AgentError("E_VERIFY", f"the manifest's format {release.format!r} is not among its formats")
        if release.kind == "model" and release.digest != self._state.active:
            floor = self._state.rollback_floor
            if release.counter < floor:
                raise AgentError(
                    "E_VERIFY",
                    f"the release has counter {release.counter}, the device takes {floor} or more",
                    "to go back to a release that the device still has: edgekit rollback",
                    counter=release.counter,
                    rollback_floor=floor,
                )

    def _is_installed(self, release: manifest.Manifest) -> bool:
        if release.kind == "runtime":
            return release.digest in self._state.bundles and os.path.isdir(self._root.runtime(release.digest))
        return release.digest == self._state.active

    def _install(self, release: manifest.Manifest, opened: dict[str, int], install: Install) -> None:
        self._progress("install")
        install(release, opened)
        self._keep_manifest(release)
        self._save(bundles=state.front(release.digest, self._state.bundles))

    def _switch(self, release: manifest.Manifest, opened: dict[str, int], prove: Prove) -> dict[str, Any] | None:
        storage.require(self._root.path, len(release.text), files=4)
        is_new = self._keep_manifest(release)
        self._progress("golden")
        try:
            prove(release, opened)
        except BaseException as failure:
            with suppress(OSError):
                if is_new:
                    os.unlink(self._root.release(release.digest))
                if isinstance(failure, AgentError):
                    self._save(failed=self._with_failure(release.digest, failure))
            raise
        before = self._state
        self._progress("switch")
        try:
            self._begin(release.digest)
            links.switch(self._root, release.digest, before.active)
            self._progress("health")
            golden = self._check_health(prove)
            self._commit(release)
        except BaseException as failure:
            self._undo(before, release.digest, failure)
            raise
        return golden

    def _check_health(self, prove: Prove) -> dict[str, Any] | None:
        """Do what every later user does: follow `current`, open, hash, load, run."""
        digest = releases.active(self._root)
        release = releases.load(self._root, digest)
        with blobs.verified(self._root, [(file.sha256, file.size) for file in release.files.values()]) as opened:
            try:
                return prove(release, opened)
            except AgentError as failure:
                raise AgentError(
                    "E_ROLLED_BACK",
                    f"the release {digest} failed after the switch: {failure.message}",
                    failure.hint,
                    failed=digest,
                    cause=failure.as_json(),
                ) from failure

    def _undo(self, before: state.State, digest: str, failure: BaseException | None) -> None:
        """Point back to what was active; what cannot be undone now is undone by the next agent's recovery."""
        with suppress(OSError):
            links.switch(self._root, before.active, before.previous)
            failed = self._with_failure(digest, failure) if isinstance(failure, AgentError) else before.failed
            self._state = before
            self._save(failed=failed, pending=None)

    def _keep_manifest(self, release: manifest.Manifest) -> bool:
        """Write the manifest if the device does not have it; says whether it was written."""
        path = self._root.release(release.digest)
        with suppress(OSError):
            if durable.read_file(path, manifest.MAX_BYTES) == release.text.encode("utf-8"):
                return False
        durable.replace(path, release.text.encode("utf-8"))
        return True

    def _begin(self, digest: str) -> None:
        self._save(pending={"digest": digest, "boot_id": environment.boot_id(), "tries": 1})

    def _commit(self, release: manifest.Manifest) -> None:
        self._save(
            active=release.digest,
            previous=self._state.active,
            pending=None,
            rollback_floor=max(self._state.rollback_floor, release.counter),
            failed={digest: reason for digest, reason in self._state.failed.items() if digest != release.digest},
            history=state.front(release.digest, self._state.history),
        )

    def _with_failure(self, digest: str, failure: AgentError) -> dict[str, str]:
        kept = [item for item in self._state.failed.items() if item[0] != digest][-_MAX_FAILED + 1 :]
        return dict([*kept, (digest, failure.message[:500])])

    def _save(self, **changes: Any) -> None:
        changed = replace(self._state, **changes)
        state.save(self._root.state, changed)
        self._state = changed
