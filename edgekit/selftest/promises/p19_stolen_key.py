"""P19: who steals the deploy key of a hardened device can speak to the agent, and do nothing else there.

Injected: every way in which OpenSSH's clients ask for more (shell, command, sftp, scp, forwarding of ports, sockets,
agent and X11, terminal, environment, rc file), at a server that allows them all, and every way to bring a program
through the agent itself (another agent, other bytes under its name, a runtime's wheel, new trust).
Must hold: no program of the thief runs, no connection goes through, and sshd's own log says that the key had no rights.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import PurePosixPath

from edgekit.core.device_entry import DeviceEntry
from edgekit.device import harden
from edgekit.device.deploy_key import make_deploy_key
from edgekit.selftest.lab import sshd, thief_at_the_agent, thief_at_the_door
from edgekit.selftest.lab.thief import Thief
from edgekit.selftest.promise import Lab, Outcome, Promise


def _harden(lab: Lab, server: sshd.Sshd) -> Thief:
    """What `edgekit devices harden` does, with the launcher in the lab's folder; returns the thief of the new key."""
    entry = DeviceEntry(
        name="lab",
        url=f"ssh://{server.user}@127.0.0.1:{server.port}",
        host_keys=(server.host_key,),
        identity_file=server.login_key,
    )
    stolen = lab.folder / "stolen_key"
    public_key = make_deploy_key(stolen)
    account = harden.look(entry, public_key)
    folder = PurePosixPath(lab.folder / "opt" / "launcher")
    line = harden.key_line(account, folder, public_key, name="lab", sources=())
    harden.install(entry, account, folder, line, public_key=public_key, allow_root=os.geteuid() == 0)
    return Thief(server=server, key=stolen, root=account.root, launcher=folder, folder=lab.folder)


def _probes() -> Iterator[tuple[str, Callable[[Thief], str | None]]]:
    for module in (thief_at_the_door, thief_at_the_agent):
        for name, probe in vars(module).items():
            if name.startswith("try_"):
                yield name.removeprefix("try_").replace("_", " "), probe


def _run(lab: Lab) -> Outcome:
    reason = sshd.missing()
    if reason is not None:
        return Outcome(cases=0, not_tried=(reason,))
    failures = []
    tried = 0
    (lab.folder / "sshd").mkdir()
    with sshd.Sshd(lab.folder / "sshd") as server:
        thief = _harden(lab, server)
        for name, probe in _probes():
            tried += 1
            try:
                found = probe(thief)
            except subprocess.TimeoutExpired:
                found = "it was let in and stayed"
            except AssertionError as gone:
                found = f"the agent is not there: {gone}"[:300]
            found = found or thief.left_a_mark()
            failures += [] if found is None else [f"{name}: {found}"]
        failures += [] if thief.can_speak() else ["the key does not even reach the agent"]
    return Outcome(cases=tried, failures=tuple(failures), facts={"server": sshd.version()})


PROMISE = Promise(
    id="P19",
    title="A stolen deploy key can speak to the agent, and do nothing else",
    sample=29,
    full=29,
    run=_run,
)
