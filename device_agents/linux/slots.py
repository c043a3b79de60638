"""Which release is active: activate, rollback and collect, in the order that docs/protocol.md proves.

Every function here runs under the lock and begins with a recovery. What decides whether a release is good (its golden
run in a limited child) is passed in, so that this file holds the order of the writes and nothing else.
"""

from __future__ import annotations

import os
import time
from contextlib import nullcontext, suppress

from device_agents.linux import (
    blobs,
    confirm,
    durable,
    environment,
    links,
    manifest,
    pins,
    releases,
    spare,
    state,
    storage,
    sweep,
    tries,
)
from device_agents.linux.errors import AgentError
from device_agents.linux.record import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from typing import Any

    from device_agents.linux.confirm import Terms
    from device_agents.linux.root import Root

    Prove = Callable[[manifest.Manifest, "dict[str, int]"], "dict[str, Any] | None"]
    Install = Callable[[manifest.Manifest, "dict[str, int]"], None]

_OF_THE_DEVICE = ("E_UNSUPPORTED", "E_STORAGE", "E_CONFIG")
"""What speaks of the device, not of the release: it may be activated again once that is mended."""


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

    def activate(
        self,
        text: object,
        expect: str | None,
        prove: Prove,
        install: Install,
        terms: Terms,
        signed: object = None,
    ) -> dict[str, Any]:
        """Make a release active, or install a runtime bundle.

        Args:
            text: the manifest.
            expect: the release that the host believes to be active; None means that it does not care.
            prove: runs the golden inputs through verified descriptors (by sha256); raises if the release is bad.
            install: unpacks and proves a runtime bundle.
            terms: whether it has to be confirmed, and what else has to be content with it.
            signed: the envelope of a signed release; whether there has to be one, the device's policy says.

        Raises:
            AgentError: E_VERIFY, E_UNSUPPORTED, E_DEVICE: refused, and `current` was not touched; E_LOCKED: another
                host activated something since `expect` was read, or another release is on trial; E_ROLLED_BACK:
                failed after the switch, undone, or failed here before.
        """
        started = time.monotonic()
        release = self._admitted(text, signed)
        active = confirm.shown(self._state)[0]
        if expect is not None and expect != active:
            raise AgentError(
                "E_LOCKED",
                f"the active release is {active}, not {expect}: another host was faster",
                "look at the device's status, then deploy again",
                active=active,
                expect=expect,
            )
        self._check_fits(release)
        if release.kind == "model":
            confirm.check_may_start(self._state, release.digest, terms.retry)
        self._progress("verify")
        with blobs.verified(self._root, [(file.sha256, file.size) for file in release.files.values()]) as opened:
            links.settle(self._root)
            if self._is_installed(release):
                golden, unchanged = None, True
            elif release.digest == active:  # on trial; without a trial of its own, this activation settles that one
                if terms.confirm_s is None:
                    self._commit(release.digest, release.counter)
                golden, unchanged = None, True
            elif release.kind == "runtime":
                self._install(release, opened, install)
                golden, unchanged = None, False
            else:
                golden, unchanged = self._switch(release, opened, prove, terms), False
        spare.keep(self._root)
        return {
            **self._links(),
            "unchanged": unchanged,
            "seconds": round(time.monotonic() - started, 6),
            "golden": golden,
            "confirm_left_s": confirm.shown_left_s(self._state),
        }

    def confirm(self, digest: str, reason: str | None) -> dict[str, Any]:
        """End the trial of a release well, which is harmless a second time, or badly.

        Args:
            digest: of the release.
            reason: why it goes; None when it stays.

        Raises:
            AgentError: E_ROLLED_BACK when it was taken back, E_INPUT when it was never on trial.
        """
        trial = confirm.waiting(self._state)
        if trial is not None and trial["digest"] == digest:
            if reason is None:
                self._commit(digest, int(trial["counter"]))
            else:
                self._end_trial(reason)
        elif reason is not None or digest != self._state.active:
            raise confirm.nothing_to_confirm(self._state, digest)
        return self._links()

    def pin(self, digest: str, pinned: bool) -> dict[str, Any]:
        """Have a release survive every clean-up, or no longer.

        Raises:
            AgentError: E_INPUT for a release that was never active here, or one too many.
        """
        found = pins.changed(self._state, digest, pinned)
        if found != self._state.pinned:
            self._save(pinned=found)
        return {"pinned": found}

    def rollback(self, to: str | None) -> dict[str, Any]:
        """Go back to `to`, or to the previous release; its files are hashed, and no golden run delays the way back.

        A trial ends with it, and badly: the way back from there is not hashed, as at its deadline.

        Raises:
            AgentError: E_INPUT when there is no such release, E_VERIFY when its files are damaged.
        """
        if confirm.waiting(self._state) is not None:
            self._end_trial("it was rolled back before it was confirmed")
            if to is None:
                return self._links()
        target = self._state.previous if to is None else to
        if target is None:
            raise AgentError("E_INPUT", "there is no previous release to go back to", "deploy one")
        if target not in self._state.history and target not in self._state.pinned:
            raise AgentError("E_INPUT", f"{target} was never active here, or is collected", "deploy it")
        release = releases.load(self._root, target)
        with blobs.verified(self._root, [(file.sha256, file.size) for file in release.files.values()]):
            pass
        links.settle(self._root)
        before = self._state
        if target != before.active:
            try:
                self._begin(release)
                links.switch(self._root, target, before.active)
                self._commit(target, release.counter)
            except BaseException:
                self._undo(before, target, None)
                raise
        return self._links()

    def trust(self, text: object, signed: object) -> dict[str, Any]:
        """Take a trust policy, the floor that it resets first: a cut in between can be repeated with the same policy.

        Raises:
            AgentError: E_VERIFY when it is refused.
        """
        from device_agents.linux import trust

        present = trust.load(self._root)
        if present is not None and trust.is_kept(self._root, text):
            return present.facts()  # the host did not hear the answer
        policy = trust.succeed(self._root, text, signed)
        if policy.floor is not None:
            self._save(rollback_floor=policy.floor)
            state.reset_floor(self._root.state, policy.floor)
        trust.keep(self._root, str(text))
        return policy.facts()

    def collect(self, keep: int, data: bool) -> dict[str, Any]:
        """Remove releases beyond active, previous, pinned and the last `keep`, and the blobs that only they name.

        Args:
            keep: how many of the newest model releases stay, the active one included.
            data: also remove every blob that no release names, and uploads that were never finished.
        """
        links.settle(self._root)
        bundles = releases.newest_bundles(self._root, self._state.bundles)
        stay = {*self._state.history[:keep], *self._state.pinned, *bundles.values()}
        stay |= {digest for digest in (self._state.active, self._state.previous) if digest}
        stay |= {self._state.pending["digest"]} if self._state.pending else set()
        removed, freed_bytes = sweep.sweep(self._root, stay, data)
        listed = {"history": self._state.history, "bundles": self._state.bundles}
        left = {name: [digest for digest in digests if digest in stay] for name, digests in listed.items()}
        if left != listed:  # also what an agent has removed that died before it could say so
            self._save(**left)
        return {"removed": removed, "freed_bytes": freed_bytes}

    def remember_probe(self, runtimes: dict[str, Any]) -> None:
        """Keep the result of a probe for `status`, beside what is known of other runtimes."""
        known = {**self._state.runtimes, **runtimes}
        if known != self._state.runtimes:
            self._save(runtimes=known)

    def _admitted(self, text: object, signed: object) -> manifest.Manifest:
        """The manifest, parsed only when the policy of the device lets it in; it has the counter that was signed."""
        if signed is None and not os.path.lexists(self._root.trust):
            return manifest.parse(text)
        from device_agents.linux import trust  # a device without keys does without

        counter = trust.admit(self._root, text, signed, self._state)
        release = manifest.parse(text)
        return release if counter is None else replace(release, counter=counter, envelope=str(signed))

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

    def _switch(
        self, release: manifest.Manifest, opened: dict[str, int], prove: Prove, terms: Terms
    ) -> dict[str, Any] | None:
        storage.require(self._root.path, len(release.text), files=4)
        is_unwanted = self._keep_manifest(release)
        before = self._state
        nonce = os.urandom(8).hex()
        with nullcontext() if terms.confirm_s is None else self._on_guard(nonce, terms):
            try:
                self._begin(release, nonce=nonce, **confirm.health_facts(terms))
                self._progress("golden")
                prove(release, opened)
                is_unwanted = False
                self._progress("switch")
                links.switch(self._root, release.digest, before.active)
                self._progress("health")
                golden = self._check_health(prove)
                if terms.health is not None:
                    terms.health.check(release)
                if terms.confirm_s is None:
                    self._commit(release.digest, release.counter)
                else:
                    until = environment.boottime_s() + terms.confirm_s
                    self._save(pending=dict(self._state.pending or {}, until=until))
            except BaseException as failure:
                self._undo(before, release.digest, failure)
                if is_unwanted:
                    with suppress(OSError):
                        os.unlink(self._root.release(release.digest))
                if terms.health is not None and terms.health.has_run and isinstance(failure, Exception):
                    terms.health.tell(before.active)
                raise
        return golden

    def _on_guard(self, nonce: str, terms: Terms) -> AbstractContextManager[None]:
        from device_agents.linux import watchdog  # subprocess and more, which other activations do without

        return watchdog.on_guard(self._root, nonce, confirm.switch_limit_s(terms))

    def _end_trial(self, reason: str) -> None:
        """Take the release on trial back, as its deadline would."""
        digest = str((self._state.pending or {})["digest"])
        links.switch(self._root, self._state.active, self._state.previous)
        self._save(pending=None, failed=state.with_failure(self._state.failed, digest, reason))

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
        if release.envelope is not None:
            durable.replace(self._root.envelope(release.digest), release.envelope.encode("ascii"))
        path = self._root.release(release.digest)
        with suppress(OSError):
            if durable.read_file(path, manifest.MAX_BYTES) == release.text.encode("utf-8"):
                return False
        durable.replace(path, release.text.encode("utf-8"))
        return True

    def _begin(self, release: manifest.Manifest, **more: Any) -> None:
        facts = {
            "digest": release.digest,
            "boot_id": environment.boot_id(),
            "tries": tries.count(self._root, release.digest) + 1,
            "counter": release.counter,
        }
        self._save(pending=dict(facts, **more))

    def _commit(self, committed: str, counter: int) -> None:
        self._save(
            active=committed,
            previous=self._state.active,
            pending=None,
            rollback_floor=max(self._state.rollback_floor, counter),
            failed={digest: reason for digest, reason in self._state.failed.items() if digest != committed},
            history=state.front(committed, self._state.history),
        )
        tries.clear(self._root)

    def _with_failure(self, digest: str, failure: AgentError) -> dict[str, str]:
        if failure.code in _OF_THE_DEVICE:
            return self._state.failed
        return state.with_failure(self._state.failed, digest, failure.message)

    def _links(self) -> dict[str, Any]:
        active, previous = confirm.shown(self._state)
        return {"active": active, "previous": previous}

    def _save(self, **changes: Any) -> None:
        changed = replace(self._state, **changes)
        state.save(self._root.state, changed)
        self._state = changed
