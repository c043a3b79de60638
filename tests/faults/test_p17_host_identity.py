"""P17: nothing that could log us in goes to a device whose host key is not proven."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.core.device_entry import DeviceEntry
from edgekit.device.trust import scan_host_key
from edgekit.selftest.promise import Lab
from edgekit.selftest.promises import p17_host_identity as p17
from edgekit.transports import Trust
from edgekit.transports.ssh import SshTransport


def test_p17_holds(holds):
    assert holds("P17").outcome.cases >= 24


def test_p17_sees_a_host_that_believes_what_it_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def trusting(entry: DeviceEntry) -> Trust:
        return Trust(host_keys=(scan_host_key(entry),), identity_file=entry.identity_file)

    monkeypatch.setattr(p17, "trust_for", trusting)

    failures = p17.PROMISE.run(Lab(folder=tmp_path)).failures

    assert sum("believed" in failure for failure in failures) > 10


def test_p17_sees_a_log_in_before_the_key_is_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    honest = SshTransport._open

    def hasty(self: SshTransport) -> None:
        self._handshake(tuple({key.type for key in self.trust.host_keys} or {"ssh-ed25519"}))
        self._log_in()
        self._close()
        honest(self)

    monkeypatch.setattr(SshTransport, "_open", hasty)
    monkeypatch.setattr(p17.shutil, "which", lambda _: None)

    failures = p17.PROMISE.run(Lab(folder=tmp_path)).failures

    assert sum("packets of a log-in" in failure for failure in failures) > 10
