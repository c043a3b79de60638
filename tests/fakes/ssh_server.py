"""SSH servers for tests: an independent one (asyncssh) that can misbehave, and the real sshd of OpenSSH."""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import os
import shutil
import socket
import subprocess
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import asyncssh

USER = getpass.getuser()
SSHD = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:/sbin")


def make_key(folder: Path, name: str, kind: str = "ed25519", *, passphrase: str = "", bits: int = 0) -> Path:
    """A private key file made by ssh-keygen; its public half lies beside it as `.pub`."""
    path = folder / name
    size = ["-b", str(bits)] if bits else []
    subprocess.run(["ssh-keygen", "-q", "-t", kind, *size, "-N", passphrase, "-C", "", "-f", path], check=True)
    return path


@dataclass(frozen=True, kw_only=True)
class Behaviour:
    """How the asyncssh server misbehaves.

    Attributes:
        accept_keys: any public key logs in.
        password_only: the one method that it offers is passwords.
        auth_never_ends: it does not answer a log-in.
        before: bytes on stdout ahead of the command's own.
        stderr: bytes on stderr ahead of the command's own.
        instead_of_command: bytes that replace the command, as a forced command would.
        refuse_commands: exec requests fail.
    """

    accept_keys: bool = True
    password_only: bool = False
    auth_never_ends: bool = False
    before: bytes = b""
    stderr: bytes = b""
    instead_of_command: bytes | None = None
    refuse_commands: bool = False


@dataclass
class FakeSshServer:
    """An asyncssh server in a thread. `log` tells what clients tried: "connect", "auth USER", "key", "exec ..."."""

    host_keys: list[Path]
    home: Path
    behaviour: Behaviour = field(default_factory=Behaviour)
    environment: dict[str, str] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)
    port: int = 0

    def __enter__(self) -> Self:
        self._connections: list[Any] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="fake-sshd")
        self._thread.start()
        self._acceptor = self._call(self._listen())
        self.port = self._acceptor.get_port()
        return self

    def __exit__(self, *_: object) -> None:
        self._call(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _call(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    async def _listen(self) -> Any:
        return await asyncssh.listen(
            "127.0.0.1",
            0,
            server_factory=lambda: _Server(self),
            server_host_keys=[str(path) for path in self.host_keys],
            process_factory=None if self.behaviour.refuse_commands else self._run,
            encoding=None,
            line_editor=False,
        )

    async def _stop(self) -> None:
        self._acceptor.close()
        await self._acceptor.wait_closed()
        for connection in self._connections:
            connection.abort()
        await asyncio.gather(*(connection.wait_closed() for connection in self._connections))
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        _, stuck = await asyncio.wait(others, timeout=0.3) if others else ((), ())
        for task in stuck:
            task.cancel()
        await asyncio.gather(*stuck, return_exceptions=True)

    async def _run(self, process: Any) -> None:
        self.log.append(f"exec {process.command}")
        behaviour = self.behaviour
        process.stdout.write(behaviour.before)
        for start in range(0, len(behaviour.stderr), 65536):
            process.stderr.write(behaviour.stderr[start : start + 65536])
            await process.stderr.drain()
        if behaviour.instead_of_command is not None:
            process.stdout.write(behaviour.instead_of_command)
            process.exit(0)
            return
        child = await asyncio.create_subprocess_shell(
            process.command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=self.home,
            env={"HOME": str(self.home), "PATH": os.environ["PATH"], **self.environment},
        )
        try:
            feeder = asyncio.create_task(_pump(process.stdin, child.stdin))
            await asyncio.gather(_pump(child.stdout, process.stdout), _pump(child.stderr, process.stderr))
            process.exit(await child.wait())
            feeder.cancel()
        finally:
            if child.returncode is None:
                child.kill()
                await child.wait()


async def _pump(source: Any, sink: Any) -> None:
    """Copy until the end, or until nobody takes it any more (`process.redirect` leaves a coroutine unawaited)."""
    with contextlib.suppress(OSError, asyncssh.Error):
        while data := await source.read(65536):
            sink.write(data)
            await sink.drain()
        if isinstance(sink, asyncio.StreamWriter):
            sink.close()


class _Server(asyncssh.SSHServer):
    def __init__(self, owner: FakeSshServer) -> None:
        self._owner = owner

    def connection_made(self, conn: Any) -> None:
        self._owner.log.append("connect")
        self._owner._connections.append(conn)

    async def begin_auth(self, username: str) -> bool:
        self._owner.log.append(f"auth {username}")
        if self._owner.behaviour.auth_never_ends:
            await asyncio.Event().wait()
        return True

    def password_auth_supported(self) -> bool:
        return self._owner.behaviour.password_only

    def public_key_auth_supported(self) -> bool:
        return not self._owner.behaviour.password_only

    def validate_public_key(self, username: str, key: Any) -> bool:
        self._owner.log.append("key")
        return self._owner.behaviour.accept_keys

    def session_requested(self) -> Any:
        return False  # asked only when there is no process factory


@dataclass
class OpenSshServer:
    """The system's sshd as the current user, with a configuration of its own; `log()` is what it says."""

    folder: Path
    host_keys: list[Path]
    authorized: list[Path]
    environment: dict[str, str] = field(default_factory=dict)
    options: list[str] = field(default_factory=list)
    key_options: str = ""
    port: int = 0

    def __enter__(self) -> Self:
        if SSHD is None:
            raise RuntimeError("there is no sshd on this machine")
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        keys = [f"{self.key_options} {path.with_suffix('.pub').read_text()}".strip() for path in self.authorized]
        (self.folder / "authorized_keys").write_text("\n".join(keys) + "\n")
        environment = {"HOME": str(self.folder), **self.environment}  # no .bashrc of the user who runs the tests
        variables = " ".join(f'"{name}={value}"' for name, value in environment.items())
        lines = [
            f"Port {self.port}",
            "ListenAddress 127.0.0.1",
            *(f"HostKey {path}" for path in self.host_keys),
            f"AuthorizedKeysFile {self.folder / 'authorized_keys'}",
            f"SetEnv {variables}",
            "UsePAM no",
            "StrictModes no",
            "UseDNS no",
            "PidFile none",
            "PermitRootLogin yes",
            "MaxStartups 100",
            "LogLevel DEBUG",
            "Subsystem sftp internal-sftp",
            *self.options,
        ]
        config = self.folder / "sshd_config"
        config.write_text("\n".join(lines) + "\n")
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)
        self._log = (self.folder / "sshd.log").open("wb+")
        self._process = subprocess.Popen([SSHD, "-D", "-e", "-f", config], stderr=self._log)
        self._wait_until_it_listens()
        return self

    def _wait_until_it_listens(self) -> None:
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
            except ConnectionRefusedError:
                threading.Event().wait(0.02)
            else:
                return
        raise RuntimeError(f"sshd did not start: {self.log()}")

    def log(self) -> str:
        return (self.folder / "sshd.log").read_text(errors="replace")

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait()
        self._log.close()
