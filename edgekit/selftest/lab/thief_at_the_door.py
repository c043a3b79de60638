"""What a thief asks sshd for; each returns what went wrong, None when he was refused."""

from __future__ import annotations

import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edgekit.selftest.lab.fault_proxy import TcpScript, saying
from edgekit.selftest.lab.thief import Thief

_GREETING = b"inside"
_WAIT_S = 10.0


def try_shell(thief: Thief) -> str | None:
    """A log-in shell that reads commands from stdin."""
    thief.server.run(thief.key, stdin=f"touch {thief.mark}\n".encode())
    return None


def try_command(thief: Thief) -> str | None:
    """One command."""
    thief.server.run(thief.key, command=("touch", str(thief.mark)))
    return None


def try_command_in_quotes(thief: Thief) -> str | None:
    """Commands that would break out of a shell's quotes; sshd hands them over as SSH_ORIGINAL_COMMAND."""
    for text in (
        f"'; touch {thief.mark}; '",
        f"$(touch {thief.mark})",
        f"`touch {thief.mark}`",
        f"\n touch {thief.mark}\n",
    ):
        thief.server.run(thief.key, command=(text,))
    return None


def try_sftp(thief: Thief) -> str | None:
    """The subsystem sftp."""
    batch = f"put /etc/hostname {thief.mark}\n".encode()
    target = f"{thief.server.user}@127.0.0.1"
    return _copy(thief, [*thief.server.client(thief.key, "-b", "-", program="sftp"), target], stdin=batch)


def try_scp(thief: Thief) -> str | None:
    """A copy over sftp, as a new scp does it."""
    return _scp(thief)


def try_scp_of_old(thief: Thief) -> str | None:
    """A copy by a program that scp starts at the other end."""
    return _scp(thief, "-O")


def try_another_subsystem(thief: Thief) -> str | None:
    """A subsystem that is none."""
    thief.server.run(thief.key, "-s", command=(f"touch {thief.mark}",))
    return None


def try_local_forwarding(thief: Thief) -> str | None:
    """-L to a port behind the device."""
    with TcpScript(saying(_GREETING)) as behind:
        return _through(thief, "-L", f"127.0.0.1:{{port}}:127.0.0.1:{behind.port}", b"")


def try_dynamic_forwarding(thief: Thief) -> str | None:
    """-D, a SOCKS proxy to everywhere behind the device (RFC 1928)."""
    with TcpScript(saying(_GREETING)) as behind:
        wish = b"\x05\x01\x00\x05\x01\x00\x01\x7f\x00\x00\x01" + behind.port.to_bytes(2, "big")
        return _through(thief, "-D", "127.0.0.1:{port}", wish)


def try_socket_forwarding(thief: Thief) -> str | None:
    """-L to a socket in the device's file system."""
    path = thief.folder / "socket"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        listener.settimeout(0.0)
        found = _through(thief, "-L", f"127.0.0.1:{{port}}:{path}", b"")
        try:
            listener.accept()[0].close()
        except BlockingIOError:
            return found
        return "the socket was reached"


def try_stdio_forwarding(thief: Thief) -> str | None:
    """-W, the same channel without a port of ours."""
    with TcpScript(saying(_GREETING)) as behind:
        done = thief.server.run(thief.key, "-W", f"127.0.0.1:{behind.port}")
    return "the port was reached" if _GREETING in done.stdout else None


def try_remote_forwarding(thief: Thief) -> str | None:
    """-R, a port on the device that leads to us."""
    done = thief.server.run(thief.key, "-N", "-o", "ExitOnForwardFailure=yes", "-R", "127.0.0.1:0:127.0.0.1:9")
    return None if done.returncode != 0 else "a port was opened"


def try_agent_forwarding(thief: Thief) -> str | None:
    """-A, our keys for programs on the device."""
    with _ssh_agent(thief.folder / "agent") as path:
        said = _said(thief, "-A", env={"SSH_AUTH_SOCK": str(path)})
    return None if "agent forwarding disabled" in said else "sshd's log does not say that it refused"


def try_x11_forwarding(thief: Thief) -> str | None:
    """-X, our display for programs on the device."""
    done = thief.server.run(thief.key, "-X", env={"DISPLAY": "127.0.0.1:0"})
    return None if b"X11 forwarding request failed" in done.stderr else "ssh does not say that it was refused"


def try_terminal(thief: Thief) -> str | None:
    """-tt, a terminal."""
    done = thief.server.run(thief.key, "-tt", stdin=f"touch {thief.mark}\n".encode())
    return None if b"PTY allocation request failed" in done.stderr else "a terminal was given"


def try_rc_file(thief: Thief) -> str | None:
    """~/.ssh/rc, and all other rights of a key: sshd's log lists those that this one has."""
    said = _said(thief)
    rights = {
        word
        for line in said.splitlines()
        if "key options:" in line
        for word in line.partition("key options:")[2].split()
    }
    return None if rights == {"command"} else f"sshd's log lists {sorted(rights)}"


def _said(thief: Thief, *options: str, env: dict[str, str] | None = None) -> str:
    """What sshd logs of one log-in."""
    before = len(thief.server.log())
    thief.server.run(thief.key, *options, env=env)
    return thief.server.log()[before:]


def _scp(thief: Thief, *options: str) -> str | None:
    target = f"{thief.server.user}@127.0.0.1:{thief.mark}"
    return _copy(thief, [*thief.server.client(thief.key, *options, program="scp"), "/etc/hostname", target])


def _copy(thief: Thief, command: list[str], stdin: bytes = b"") -> str | None:
    """Start a client that would wait for its own program for ever, until sshd has said what it started instead."""
    before, said, pause = len(thief.server.log()), "", threading.Event()
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        assert process.stdin is not None
        process.stdin.write(stdin)
        process.stdin.close()
        for _ in range(int(_WAIT_S / 0.02)):
            said = thief.server.log()[before:]
            if process.poll() is not None or "Starting session" in said:
                break
            pause.wait(0.02)
    finally:
        process.kill()
        process.wait(_WAIT_S)
    forced = "Starting session: forced-command (key-option)" in said
    return None if forced else f"sshd started something else: {said[-200:]}"


def _through(thief: Thief, option: str, text: str, wish: bytes) -> str | None:
    """Whether the greeting of a server behind the device comes through a port that ssh opens here."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [*thief.server.client(thief.key, "-N", option, text.format(port=port)), f"{thief.server.user}@127.0.0.1"]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        heard = _ask(process, port, wish)
    finally:
        process.kill()
        process.wait(_WAIT_S)
    return "the port was reached" if _GREETING in heard else None


def _ask(process: subprocess.Popen[bytes], port: int, wish: bytes) -> bytes:
    pause = threading.Event()
    for _ in range(int(_WAIT_S / 0.02)):
        try:
            connection = socket.create_connection(("127.0.0.1", port))
        except ConnectionRefusedError:
            if process.poll() is not None:
                return b""
            pause.wait(0.02)
            continue
        with connection:
            connection.settimeout(_WAIT_S)
            heard = b""
            try:
                connection.sendall(wish)
                while _GREETING not in heard and (chunk := connection.recv(1024)):
                    heard += chunk
            except OSError:
                pass  # refused
            return heard
    raise TimeoutError("ssh does not open its port")


@contextmanager
def _ssh_agent(path: Path) -> Iterator[Path]:
    """An ssh-agent without keys."""
    pause = threading.Event()
    command = ["ssh-agent", "-D", "-a", str(path)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        try:
            for _ in range(int(_WAIT_S / 0.02)):
                if path.exists():
                    break
                pause.wait(0.02)
            yield path
        finally:
            process.kill()
