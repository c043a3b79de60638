"""A device behind the system's own ssh client, with its agent and hardware keys, but none of its configuration."""

from __future__ import annotations

import contextlib
import fcntl
import re
import shutil
import tempfile
from pathlib import Path

from edgekit.core.errors import (
    AuthenticationError,
    DeadlineError,
    EdgekitError,
    HostKeyError,
    NetworkError,
    UnsupportedError,
)
from edgekit.transports._base import ByteChannel, Transport, shell_command
from edgekit.transports._host_key_errors import changed_host_key, revoked_host_key, unknown_host_key
from edgekit.transports._pipes import PipeChannel
from edgekit.transports._printable import printable
from edgekit.transports._trust import HOST_KEY_TYPES, checked_identity_file

_ALIAS = "edgekit-device"
"""The name under which our known_hosts file lists the device, whatever its address is."""

_SIGNATURES = {"ssh-rsa": "rsa-sha2-512,rsa-sha2-256"}
_AUTHENTICATED = b"Authenticated to "
_CHATTER = re.compile(
    r"(?:Authenticated to .*|Transferred: sent \d+, received \d+ bytes, .*|Bytes per second: sent [\d.]+, .*)\r?\n"
)
"""What LogLevel VERBOSE adds."""

_CIPHERS = "aes128-gcm@openssh.com,aes256-gcm@openssh.com,aes128-ctr,aes192-ctr,aes256-ctr"
"""As in `ssh.py`: where processors know AES, ssh's own first choice, ChaCha20, is slower."""

_PIPE_BYTES = 1024 * 1024
"""The most that Linux gives a user's pipe by default (/proc/sys/fs/pipe-max-size)."""

_NO_MACS = "-hmac-md5*,hmac-sha1*,umac-64*"


class OpenSshTransport(Transport):
    """`openssh://user@host:port`: the `ssh` program with constant options, no shell, no user configuration."""

    scheme = "openssh"
    summary = "the system's ssh client, for keys in an ssh-agent or on a token"

    _folder: tempfile.TemporaryDirectory[str] | None = None

    def _open(self) -> None:
        if shutil.which("ssh") is None:
            raise UnsupportedError(
                "there is no ssh program on this machine", hint="use ssh:// or install openssh-client"
            )
        if not self.trust.host_keys:
            raise unknown_host_key(self.endpoint, None)
        self._folder = tempfile.TemporaryDirectory(prefix="edgekit-ssh-")
        lines = [f"{_ALIAS} {key}\n" for key in self.trust.host_keys]
        lines += [f"@revoked {_ALIAS} {key}\n" for key in self.trust.revoked]
        (Path(self._folder.name) / "known_hosts").write_text("".join(lines))

    def command(self, program: str, folder: Path) -> list[str]:
        """The argument list that runs a program there."""
        identity = checked_identity_file(self.trust.identity_file)
        pinned = {key.type for key in self.trust.host_keys}
        algorithms = [_SIGNATURES.get(type_, type_) for type_ in HOST_KEY_TYPES if type_ in pinned]
        options = {
            "BatchMode": "yes",
            "StrictHostKeyChecking": "yes",
            "UserKnownHostsFile": f'"{folder / "known_hosts"}"',
            "GlobalKnownHostsFile": "/dev/null",
            "HostKeyAlias": _ALIAS,
            "HostKeyAlgorithms": ",".join(algorithms),
            "CheckHostIP": "no",
            "UpdateHostKeys": "no",
            "VerifyHostKeyDNS": "no",
            "IdentitiesOnly": "yes",
            "IdentityFile": f'"{identity}"',
            "PreferredAuthentications": "publickey",
            "ForwardAgent": "no",
            "ForwardX11": "no",
            "ClearAllForwardings": "yes",
            "PermitLocalCommand": "no",
            "ControlMaster": "no",
            "ControlPath": "none",
            "EscapeChar": "none",
            "Compression": "no",
            "Ciphers": _CIPHERS,
            "MACs": _NO_MACS,
            "ConnectTimeout": str(max(1, round(self.limits.connect_s))),
            "ServerAliveInterval": str(max(1, round(self.limits.keepalive_s))),
            "ServerAliveCountMax": str(max(1, round(self.limits.idle_s / self.limits.keepalive_s))),
            "LogLevel": "VERBOSE",  # the one level at which ssh tells that it is authenticated
        }
        command = ["ssh", "-F", "none", "-T", "-p", str(self.endpoint.port), "-l", self.endpoint.user]
        for name, value in options.items():
            command += ["-o", f"{name}={value}"]
        return [*command, "--", self.endpoint.host, shell_command(program)]

    def _start(self, program: str) -> ByteChannel:
        if self._folder is None:
            raise NetworkError(f"{self.endpoint} is not open", hint="call open() first")
        channel = _OpenSshChannel(
            self.command(program, Path(self._folder.name)), endpoint=self.endpoint, limits=self.limits
        )
        channel.widen()
        limit_s = self.limits.connect_s + self.limits.banner_s + self.limits.auth_s
        if not channel.tail.wait_for(_AUTHENTICATED, limit_s):
            ended = channel.tail.ended
            try:
                raise self._refusal(channel.stderr_tail()) if ended else self._too_slow(channel.stderr_tail(), limit_s)
            finally:
                channel.close()
        return channel

    def _too_slow(self, said: str, limit_s: float) -> EdgekitError:
        phase = "authentication" if "Server host key" in said else "connect"
        return DeadlineError(
            f"{self.endpoint} was not logged in after {limit_s:g} s (phase {phase}, limit {limit_s:g} s)",
            hint="check the address and that an SSH server answers there",
            phase=phase,
            limit_s=limit_s,
        )

    def _refusal(self, said: str) -> EdgekitError:
        """What the words of a failed ssh mean."""
        text = printable(" / ".join(said.strip().splitlines()[-3:]), limit=400)
        if "REVOKED HOST KEY" in said or "revoked" in said.lower():
            return revoked_host_key(self.endpoint, None)
        if "IDENTIFICATION HAS CHANGED" in said or "no matching host key type" in said:
            return changed_host_key(self.endpoint, self.trust.host_keys, None)
        if "Host key verification failed" in said:
            return HostKeyError(
                f"the host key of {self.endpoint} was refused: {text}",
                hint="edgekit devices trust shows its fingerprint",
            )
        if "Permission denied" in said or "Too many authentication failures" in said:
            return AuthenticationError(
                f"{self.endpoint} refused to log us in: {text}",
                hint="is the key in authorized_keys there, unlocked (ssh-add), and the account not locked?",
            )
        if "timed out" in said:
            return DeadlineError(
                f"{self.endpoint} did not answer in time: {text}",
                hint="check the address and the network",
                phase="connect",
            )
        return NetworkError(
            f"{self.endpoint} cannot be reached: {text}",
            hint="check the address, the port and that the device is up",
            phase="connect",
        )

    def _close(self) -> None:
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None


class _OpenSshChannel(PipeChannel):
    """Tells ssh's own end (status 255) and ssh's own chatter from the program's."""

    def widen(self) -> None:
        """Let more than 64 KiB wait for ssh: each side runs longer before it waits for the other."""
        with contextlib.suppress(OSError, AttributeError):  # refused to a user with many pipes; Linux alone knows it
            fcntl.fcntl(self._stdin.fileno(), fcntl.F_SETPIPE_SZ, _PIPE_BYTES)

    def stderr_tail(self) -> str:
        return _CHATTER.sub("", super().stderr_tail())

    def explain_end(self) -> EdgekitError:
        if self.exit_status(2.0) != 255:
            return super().explain_end()
        said = printable(self.stderr_tail().strip().rpartition("\n")[2], limit=300)
        return NetworkError(
            f"the connection to {self.endpoint} ended in the middle of an answer: {said}",
            hint="check that the device is up and try again; a half upload is resumed",
        )


TRANSPORT = OpenSshTransport
