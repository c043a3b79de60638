"""The SSH server of a loopback device: `python -m edgekit.emulators._loopback_server FOLDER PORT`.

Key-only login as root, `exec` requests only. A command runs under `/bin/sh -c` in FOLDER/home, with the environment of
a fresh login. When its channel closes, the command and everything it started are killed.
"""

from __future__ import annotations

import base64
import logging
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import paramiko

from edgekit.emulators._commands import PATH
from edgekit.emulators._processes import identify, kill_tree

_CHUNK_BYTES = 256 * 1024
_WINDOW_BYTES = 16 * 1024 * 1024
_LOGIN_TIMEOUT_S = 60
_WATCH_S = 0.1

_log = logging.getLogger("edgekit.emulators.loopback")


class _Session(paramiko.ServerInterface):  # type: ignore[misc]  # paramiko has no types
    """What one client may do: log in with the one key, run commands."""

    def __init__(self, authorized: paramiko.PKey, home: Path) -> None:
        self._authorized = authorized
        self._home = home

    def get_allowed_auths(self, _username: str) -> str:
        return "publickey"

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        allowed = username == "root" and key == self._authorized
        return int(paramiko.AUTH_SUCCESSFUL if allowed else paramiko.AUTH_FAILED)

    def check_channel_request(self, kind: str, _number: int) -> int:
        if kind == "session":
            return int(paramiko.OPEN_SUCCEEDED)
        return int(paramiko.OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED)

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        threading.Thread(target=_run, args=(channel, command, self._home), daemon=True).start()
        return True


def _run(channel: paramiko.Channel, command: bytes, home: Path) -> None:
    """Run one command with its three streams on the channel, report its exit status, close the channel."""
    process = subprocess.Popen(
        ["/bin/sh", "-c", command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=home,
        env=_login_environment(home),
        start_new_session=True,
        bufsize=0,
    )
    threading.Thread(target=_feed, args=(channel, process.stdin), daemon=True).start()
    outputs = [
        threading.Thread(target=_drain, args=(process.stdout, channel.sendall), daemon=True),
        threading.Thread(target=_drain, args=(process.stderr, channel.sendall_stderr), daemon=True),
    ]
    for output in outputs:
        output.start()
    handle = os.pidfd_open(process.pid)
    try:
        # Not process.wait(): as long as the process is not reaped, nobody else can get its pid.
        while not channel.closed and not select.select([handle], [], [], _WATCH_S)[0]:
            pass
        for output in outputs:
            while not channel.closed and output.is_alive():
                output.join(_WATCH_S)
        if channel.closed:
            _kill(process.pid)
        status = process.wait()
    finally:
        os.close(handle)
    with suppress(OSError, EOFError, paramiko.SSHException):
        channel.send_exit_status(status if status >= 0 else 128 - status)
        channel.close()


def _login_environment(home: Path) -> dict[str, str]:
    python = Path(sys.executable).parent
    return {"HOME": str(home), "USER": "root", "LOGNAME": "root", "SHELL": "/bin/sh", "PATH": f"{python}:{PATH}"}


def _feed(channel: paramiko.Channel, stdin: IO[bytes]) -> None:
    """Client to command, until the client closes its side. What a finished command did not read is thrown away."""
    with suppress(OSError), stdin:
        while chunk := channel.recv(_CHUNK_BYTES):
            _write_all(stdin, chunk)
    with suppress(OSError):
        while channel.recv(_CHUNK_BYTES):
            pass


def _write_all(stream: IO[bytes], data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[stream.write(view) :]


def _drain(stream: IO[bytes], send: Any) -> None:
    """Command to client, until the command closes its side or the client is gone."""
    with suppress(OSError, EOFError), stream:
        while chunk := stream.read(_CHUNK_BYTES):
            send(chunk)


def _kill(pid: int) -> None:
    """Kill a child that was not waited for, all that it started, and what it left in its process group."""
    with suppress(ProcessLookupError):
        kill_tree(identify(pid))
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _greet(connection: socket.socket, host_key: paramiko.PKey, session: _Session) -> None:
    """Take one client through key exchange and login; its channels are served by paramiko's thread."""
    transport = paramiko.Transport(connection, default_window_size=_WINDOW_BYTES)
    transport.auth_timeout = _LOGIN_TIMEOUT_S
    transport.add_server_key(host_key)
    try:
        transport.start_server(server=session)
    except (OSError, EOFError, paramiko.SSHException) as reason:
        _log.info("a client did not get through the key exchange: %s", reason)
        transport.close()


def serve(folder: Path, port: int) -> None:
    """Serve on 127.0.0.1 until killed."""
    kind, blob = (folder / "authorized_key").read_text(encoding="ascii").split()[:2]
    authorized = paramiko.PKey.from_type_string(kind, base64.b64decode(blob))
    host_key = paramiko.Ed25519Key.from_private_key_file(str(folder / "ssh_host_ed25519_key"))
    session = _Session(authorized, folder / "home")
    with socket.create_server(("127.0.0.1", port), backlog=128) as listener:
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=_greet, args=(connection, host_key, session), daemon=True).start()


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    # Clients that only look at the banner are normal here; paramiko reports each with a traceback.
    logging.getLogger("paramiko").setLevel(logging.CRITICAL)
    serve(Path(sys.argv[1]), int(sys.argv[2]))
