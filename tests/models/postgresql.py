"""A PostgreSQL server of the tests' own: in a temporary folder, on a socket there and a free port, gone afterwards."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

USER, PASSWORD = "edgekit", "s3cret/of:the@tests"
_START_S = 60.0


@dataclass(frozen=True, kw_only=True)
class Server:
    """A server that runs.

    Attributes:
        folder: of its socket.
        port: of the socket and on 127.0.0.1, where it wants a password.
    """

    folder: Path
    port: int

    def database(self, name: str) -> str:
        """A new database's URL, through the socket."""
        import psycopg

        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        return self.url(name)

    def url(self, database: str) -> str:
        """Through the socket, which trusts."""
        return f"postgresql://{USER}@/{database}?host={quote(str(self.folder), safe='')}&port={self.port}"

    def tcp_url(self, database: str, password: str | None = PASSWORD) -> str:
        """Over TCP, which asks for the password."""
        secret = "" if password is None else f":{quote(password, safe='')}"
        return f"postgresql://{USER}{secret}@127.0.0.1:{self.port}/{database}"


def binaries() -> Path:
    """Folder of `initdb` and `postgres`; skips where there is none."""
    folders = [*sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)]
    if found := shutil.which("initdb"):
        folders.append(Path(found).resolve().parent)
    for folder in folders:
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    pytest.skip("PostgreSQL is not installed (apt-get install postgresql)")


@contextmanager
def running() -> Iterator[Server]:
    """Start a server, and end it."""
    found = binaries()
    with tempfile.TemporaryDirectory(prefix="edgekit-pg-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        identity = _unprivileged(folder)
        (folder / "password").write_text(PASSWORD)
        (folder / "password").chmod(0o644)
        data = folder / "data"
        made = [str(found / "initdb"), "--pgdata", str(data), "--username", USER, "--encoding", "UTF8", "--locale", "C"]
        made += ["--auth-local", "trust", "--auth-host", "scram-sha-256", "--pwfile", str(folder / "password"), "-N"]
        subprocess.run(made, check=True, capture_output=True, timeout=_START_S, cwd=folder, **identity)
        server = Server(folder=folder, port=_free_port())
        settings = {
            "unix_socket_directories": folder, "listen_addresses": "127.0.0.1", "port": server.port, "fsync": "off",
            "max_connections": 60, "shared_buffers": "16MB",
        }  # fmt: skip
        command = [str(found / "postgres"), "-D", str(data)]
        for setting, value in settings.items():
            command += ["-c", f"{setting}={value}"]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, **identity)
        try:
            _wait_until_it_answers(server, process)
            yield server
        finally:
            process.send_signal(signal.SIGQUIT)  # at once, without a checkpoint
            process.wait(_START_S)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Server]:
    """A server for the session."""
    with running() as server:
        yield server


def _unprivileged(folder: Path) -> dict[str, Any]:
    """Who runs it: PostgreSQL refuses to be root."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port: int = listening.getsockname()[1]
        return port


def _wait_until_it_answers(server: Server, process: subprocess.Popen[bytes]) -> None:
    import psycopg

    deadline = time.monotonic() + _START_S
    while True:
        try:
            psycopg.connect(server.url("postgres"), connect_timeout=5).close()
        except psycopg.OperationalError:
            log = (server.folder / "log").read_text(errors="replace")
            assert process.poll() is None, log
            assert time.monotonic() < deadline, log
            time.sleep(0.05)
        else:
            return
