"""Nothing that is not signed for this device is activated, or even parsed.

Injected: every byte of the manifest and of its envelope changed in one bit, both cut short and made longer; envelopes
of others, for others, in other spellings, with statements that say too little or too much; the same for an envelope of
the device's group, with each bit of the group's name, other groups and other ways to name its own; a key that was
rotated out, and a group that the device has left; staged uploads with other bytes; and, on the disk, files with flipped
bits, cut, exchanged, sparse, links, fifos.
What must hold: all are refused, as E_VERIFY (exit code 4) or, where something else than a file lies in its place, as
E_STORAGE (8); what is wrong with the envelope is said before the manifest is parsed, what is wrong with a file before a
process is started for it; the release before stays active; and the genuine releases, for the device and for its group,
are taken at the end.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from edgekit.selftest.lab import signing
from edgekit.selftest.lab.agent_process import AgentProcess, RefusedError, Release, fake_release, sha256
from edgekit.selftest.lab.tampering import Forgery, forgeries, spoilt_files
from edgekit.selftest.promise import Lab, Outcome, Promise

OLD, NEW, OTHER = fake_release(1.0), fake_release(2.0), fake_release(3.0)
_UNPARSED = ("the envelope is refused", "the release is not signed")


class _Trial:
    """The device, what is tried on it, and what went wrong."""

    def __init__(self, agent: AgentProcess, root: Path) -> None:
        self.agent = agent
        self.root = root
        self.cases = 0
        self.failures: list[str] = []

    def forgery(self, forged: Forgery) -> None:
        """A manifest and an envelope that must not be parsed."""
        self._refused(forged.what, forged.manifest, forged.envelope, is_unparsed=True)

    def spoilt(self, what: str, digest: str, spoil: Callable[[Path], None]) -> None:
        """A file on the disk that must not be run."""
        path, aside = self.root / "blobs" / digest, self.root / "blobs" / f"{digest}.right"
        path.rename(aside)
        try:
            spoil(path)
            self._refused(f"file: {what}", NEW.manifest, signing.signed(NEW, 2), is_unparsed=False)
        finally:
            with suppress(FileNotFoundError):
                path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
            aside.rename(path)

    def upload(self, wanted: bytes, sent: bytes) -> None:
        """Bytes that arrive under another's name."""
        self.cases += 1
        digest = sha256(wanted)
        (self.root / "blobs" / digest).unlink(missing_ok=True)
        try:
            self.agent.request(
                "stage", sha256=digest, size=len(wanted), on_ready=lambda _: self.agent.send_frames(sent)
            )
        except RefusedError as refusal:
            if refusal.code != "E_VERIFY":
                self.failures.append(f"upload of other bytes: refused as {refusal}")
        else:
            self.failures.append("upload of other bytes: it was taken")
        if (self.root / "blobs" / digest).exists():
            self.failures.append("upload of other bytes: they lie among the blobs")

    def genuine(self, release: Release, envelope: str) -> None:
        """What nothing is wrong with is taken, or the refusals would prove nothing."""
        self.cases += 1
        try:
            self.agent.request("activate", manifest=release.manifest, expect=None, envelope=envelope)
        except RefusedError as refusal:
            self.failures.append(f"the genuine release: {refusal}")

    def _refused(self, what: str, manifest: str, envelope: object, *, is_unparsed: bool) -> None:
        self.cases += 1
        try:
            self.agent.request("activate", manifest=manifest, expect=None, envelope=envelope)
        except RefusedError as refusal:
            if refusal.code != "E_VERIFY" and (is_unparsed or refusal.code != "E_STORAGE"):
                self.failures.append(f"{what}: refused as {refusal}")
            elif is_unparsed and not refusal.message.startswith(_UNPARSED):
                self.failures.append(f"{what}: it was parsed: {refusal.message}")
        else:
            self.failures.append(f"{what}: it was taken")
        phases = [event["phase"] for event in self.agent.events if event["event"] == "progress"]
        if phases not in ([], ["verify"]) or (is_unparsed and phases):
            self.failures.append(f"{what}: the activation went on to {phases[-1]}")
        if (self.root / "current").readlink().stem != OLD.digest:
            self.failures.append(f"{what}: the release before is not active any more")


def _run(lab: Lab) -> Outcome:
    root, rng = lab.folder / "root", random.Random(lab.seed)  # noqa: S311 -- no secret
    with AgentProcess(root) as agent:
        agent.boot()
        signing.trust(agent, signing.policy())
        signing.deploy(agent, OLD, 1)
        for data in (*NEW.files, *OTHER.files):
            agent.stage(data)
        trial = _Trial(agent, root)
        for forged in forgeries(NEW, OTHER, 2):
            trial.forgery(forged)
        for what, digest, spoil in spoilt_files(NEW, OTHER, rng, flips=lab.many(650, 1500), cuts=lab.many(30, 100)):
            trial.spoilt(what, digest, spoil)
        for data in NEW.files[:2]:
            for sent in (data[:-1] + bytes([data[-1] ^ 1]), bytes(len(data)), data + b"\0"):
                trial.upload(data, sent)
            agent.stage(data)
        _after_a_change_of_trust(trial)
    return Outcome(cases=trial.cases, failures=tuple(trial.failures))


def _after_a_change_of_trust(trial: _Trial) -> None:
    """Another key, no group any more, and then the group again."""
    key = signing.OTHER_KEY
    signing.trust(trial.agent, signing.policy(2, key=key, groups=()), signing.KEY, key)
    for counter in range(2, 22):
        old, left = signing.signed(NEW, counter), signing.signed(NEW, counter, key=key, audience=signing.GROUP_AUDIENCE)
        trial.forgery(Forgery(what="a key that was rotated out", manifest=NEW.manifest, envelope=old))
        trial.forgery(Forgery(what="a group that was left", manifest=NEW.manifest, envelope=left))
    trial.genuine(NEW, signing.signed(NEW, 2, key=key))
    signing.trust(trial.agent, signing.policy(3, key=key), key)
    trial.genuine(OTHER, signing.signed(OTHER, 3, key=key, audience=signing.GROUP_AUDIENCE))


PROMISE = Promise(
    id="P5",
    title="Nothing that is not signed for this device is activated, or even parsed",
    sample=2600,
    full=3500,
    run=_run,
)
