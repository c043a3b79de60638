"""The system's OpenSSH server on a free port of 127.0.0.1, as generous as its configuration can make it."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

from edgekit.device.deploy_key import make_deploy_key

_SSHD = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:/sbin:/usr/bin")
_SSH = shutil.which("ssh")
_PROGRAMS = ("ssh", "sftp", "scp", "ssh-agent")
_START_S = 10.0
_CLIENT_S = 30.0


def missing() -> str | None:
    """What keeps it from running on this computer."""
    if _SSHD is None:
        return "there is no sshd here: sudo apt-get install openssh-server"
    lacking = [name for name in _PROGRAMS if shutil.which(name) is None]
    return f"there is no {lacking[0]} here: sudo apt-get install openssh-client" if lacking else None


def version() -> str:
    """Of the server and its clients, e.g. OpenSSH_9.2p1; Debian builds both from one source."""
    told = subprocess.run([str(_SSH), "-V"], capture_output=True, text=True, timeout=_CLIENT_S, check=True).stderr
    return told.partition(" ")[0].rstrip(",")


class Sshd:
    """A server for our own user, whose home there is a folder of the lab. Use it as a context manager.

    Whatever can be allowed is allowed: what a key may not do, its own line in authorized_keys forbids.

    Args:
        folder: empty; gets the home, the keys and the log.

    Attributes:
        home: of the user who logs in.
        host_key: `ssh-ed25519 AAAA...`.
        login_key: private key without any restriction.
        port: where it listens.
    """

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        (self.home / ".ssh").mkdir(parents=True)
        self.home.chmod(0o700)
        self._folder = folder
        self.host_key = make_deploy_key(folder / "host_key")
        self.login_key = folder / "login_key"
        self.authorized_keys = self.home / ".ssh" / "authorized_keys"
        self.authorized_keys.write_text(make_deploy_key(self.login_key) + " someone\n")
        self.port = 0

    @property
    def user(self) -> str:
        """Who logs in."""
        return getpass.getuser()

    def __enter__(self) -> Self:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        config = self._folder / "sshd_config"
        config.write_text("\n".join(self._configuration()) + "\n")
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)
        self._log = (self._folder / "sshd.log").open("wb")
        self._process = subprocess.Popen(
            [str(_SSHD), "-D", "-e", "-f", str(config)], stdin=subprocess.DEVNULL, stderr=self._log
        )
        self._wait_until_it_listens()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.wait(_START_S)
        self._log.close()

    def log(self) -> str:
        """All that it has said."""
        return (self._folder / "sshd.log").read_text(errors="replace")

    def client(self, key: Path, *options: str, program: str = "ssh") -> list[str]:
        """The beginning of a command line: a client that is asked nothing and asks nothing."""
        port = "-p" if program == "ssh" else "-P"
        fixed = {
            "BatchMode": "yes",
            "StrictHostKeyChecking": "no",
            "UserKnownHostsFile": "/dev/null",
            "IdentitiesOnly": "yes",
            "LogLevel": "VERBOSE",
        }
        named = [word for name, value in fixed.items() for word in ("-o", f"{name}={value}")]
        return [program, "-F", "none", port, str(self.port), "-i", str(key), *named, *options]

    def run(
        self,
        key: Path,
        *options: str,
        command: tuple[str, ...] = (),
        stdin: bytes = b"",
        env: dict[str, str] | None = None,
    ) -> subprocess.CompletedProcess[bytes]:
        """Run `ssh` to its end."""
        return subprocess.run(
            [*self.client(key, *options), f"{self.user}@127.0.0.1", *command],
            input=stdin,
            capture_output=True,
            timeout=_CLIENT_S,
            check=False,
            env={**os.environ, **(env or {})},
        )

    def _configuration(self) -> list[str]:
        return [
            f"Port {self.port}",
            "ListenAddress 127.0.0.1",
            f"HostKey {self._folder / 'host_key'}",
            f"AuthorizedKeysFile {self.authorized_keys}",
            f'SetEnv "HOME={self.home}" "PATH={Path(sys.executable).parent}:/usr/bin:/bin"',
            "AcceptEnv EDGEKIT_* PYTHON*",
            "PermitUserEnvironment yes",
            "AllowAgentForwarding yes",
            "AllowTcpForwarding yes",
            "AllowStreamLocalForwarding yes",
            "X11Forwarding yes",
            "PermitTTY yes",
            "PermitUserRC yes",
            "PermitRootLogin yes",
            "Subsystem sftp internal-sftp",
            "UsePAM no",
            "StrictModes no",
            "UseDNS no",
            "PidFile none",
            "MaxStartups 100",
            "LogLevel DEBUG",
        ]

    def _wait_until_it_listens(self) -> None:
        pause = threading.Event()
        for _ in range(int(_START_S / 0.02)):
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
            except ConnectionRefusedError:
                pause.wait(0.02)
            else:
                return
        raise TimeoutError(f"sshd did not start: {self.log()}")
