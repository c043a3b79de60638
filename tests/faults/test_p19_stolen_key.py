"""P19: a stolen deploy key can speak to the agent, and do nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.device import harden
from edgekit.selftest.lab import sshd, thief_at_the_agent, thief_at_the_door
from edgekit.selftest.promise import Lab
from edgekit.selftest.promises import p19_stolen_key as p19

needs_sshd = pytest.mark.skipif(sshd.missing() is not None, reason=str(sshd.missing()))


@needs_sshd
@pytest.mark.ssh
def test_p19_holds(holds):
    assert holds("P19").outcome.cases >= 12


def keep_only(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Try these probes and no others."""
    for module in (thief_at_the_door, thief_at_the_agent):
        for name in [name for name in vars(module) if name.startswith("try_") and name not in names]:
            monkeypatch.delattr(module, name)


@needs_sshd
@pytest.mark.ssh
@pytest.mark.full
def test_p19_sees_a_key_without_restrictions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    rights = ("try_command", "try_sftp", "try_stdio_forwarding", "try_terminal", "try_rc_file")
    keep_only(monkeypatch, *rights)
    monkeypatch.setattr(harden, "key_line", lambda *_, **__: (tmp_path / "stolen_key.pub").read_text())
    honest = p19.make_deploy_key

    def make(path: Path) -> str:
        public = honest(path)
        path.with_suffix(".pub").write_text(public)
        return public

    monkeypatch.setattr(p19, "make_deploy_key", make)

    failures = p19.PROMISE.run(Lab(folder=tmp_path)).failures

    assert {failure.partition(":")[0] for failure in failures} >= {
        name.removeprefix("try_").replace("_", " ") for name in rights
    }


@needs_sshd
@pytest.mark.ssh
def test_p19_sees_a_launcher_that_takes_agents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The plain bootstrap as the forced command: restricted as it is, the key's holder brings any program."""
    honest = harden.bootstrap_source()
    generous = honest.replace("if file else _bring(root)", "if not file else _bring(root)")
    assert generous != honest
    monkeypatch.setattr(harden, "bootstrap_source", lambda: generous)
    keep_only(monkeypatch, "try_another_agent", "try_another_root_by_the_environment")

    failures = p19.PROMISE.run(Lab(folder=tmp_path)).failures

    assert any(failure.startswith("another agent") for failure in failures)
