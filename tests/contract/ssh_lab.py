"""An sshd on loopback, and transports to it, for the contract tests of transports."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from edgekit.core.registry import TRANSPORTS
from edgekit.transports import Endpoint, HostKey, Limits, Transport, Trust, transport_for
from tests.fakes.ssh_server import SSHD, USER, OpenSshServer, make_key

ECHO = "import sys\nfor line in sys.stdin.buffer: sys.stdout.buffer.write(line.upper()); sys.stdout.flush()"
SHORT = Limits(connect_s=1, banner_s=1, auth_s=1, channel_s=1, idle_s=1, keepalive_s=1, close_s=0.3)
PATIENT = Limits(keepalive_s=1, close_s=0.3)
OVER_SSH = [name for name in TRANSPORTS.names() if name in ("ssh", "openssh")]

needs_sshd = pytest.mark.skipif(SSHD is None, reason="there is no sshd on this machine")
over_ssh = pytest.mark.parametrize(
    "scheme", [pytest.param(name, marks=(pytest.mark.ssh, needs_sshd)) for name in OVER_SSH]
)


@dataclass(frozen=True, kw_only=True)
class Lab:
    """An sshd, and what is needed to talk to it."""

    server: OpenSshServer
    folder: Path
    trust: Trust

    def transport(
        self, scheme: str, *, port: int | None = None, limits: Limits = PATIENT, **trust: object
    ) -> Transport:
        endpoint = Endpoint(scheme=scheme, user=USER, host="127.0.0.1", port=port or self.server.port)
        return transport_for(endpoint, trust=replace(self.trust, **trust), limits=limits)  # type: ignore[arg-type]

    def pinned(self, name: str) -> HostKey:
        return HostKey.parse((self.folder / f"{name}.pub").read_text())


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    folder = tmp_path_factory.mktemp("sshd")
    for name in ("host", "other_host", "identity", "stranger"):
        make_key(folder, name)
    make_key(folder, "host_ecdsa", "ecdsa", bits=256)
    make_key(folder, "host_rsa", "rsa", bits=2048)
    make_key(folder, "locked", passphrase="secret")
    hosts = [folder / "host", folder / "host_ecdsa", folder / "host_rsa"]
    authorized = [folder / "identity", folder / "locked"]
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    with OpenSshServer(folder=folder, host_keys=hosts, authorized=authorized, environment={"PATH": path}) as server:
        trust = Trust(host_keys=(HostKey.parse((folder / "host.pub").read_text()),), identity_file=folder / "identity")
        yield Lab(server=server, folder=folder, trust=trust)
