"""A device behind SSH, by paramiko: its host key is checked before anything is sent that could log us in."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Iterator
from pathlib import Path

import paramiko
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from paramiko.ssh_exception import BadAuthenticationType, IncompatiblePeer

from edgekit.core.errors import (
    AuthenticationError,
    DeadlineError,
    DeviceError,
    EdgekitError,
    InternalError,
    NetworkError,
)
from edgekit.transports._alarm import Alarm
from edgekit.transports._base import ByteChannel, Limits, StderrTail, Transport, shell_command
from edgekit.transports._dial import GuardedSocket, dial
from edgekit.transports._endpoint import Endpoint
from edgekit.transports._host_key_errors import changed_host_key, revoked_host_key, unknown_host_key
from edgekit.transports._printable import printable
from edgekit.transports._trust import HOST_KEY_TYPES, HostKey, Trust, checked_identity_file

logging.getLogger("paramiko").addHandler(logging.NullHandler())  # else its tracebacks land on our stderr

CIPHERS = ("aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "aes128-ctr", "aes192-ctr", "aes256-ctr")
"""No CBC and no 3DES, which paramiko still offers; GCM first because it needs no MAC of its own."""

MACS = (
    "hmac-sha2-256-etm@openssh.com",
    "hmac-sha2-512-etm@openssh.com",
    "hmac-sha2-256",
    "hmac-sha2-512",
)
_SIGNATURES = {"ssh-rsa": ("rsa-sha2-512", "rsa-sha2-256")}
_MIN_RSA_BITS = 3072
_WINDOW_BYTES = 2 * 1024 * 1024
_CHUNK_BYTES = 32 * 1024
_LAST_WORDS_S = 0.5
"""For error output that a server sends behind the exit status."""


class SshTransport(Transport):
    """`ssh://user@host:port`: one TCP connection, one key, one channel."""

    scheme = "ssh"
    summary = "a device behind an SSH server, with one key file (paramiko)"
    foreign_errors = (Exception,)  # paramiko raises again whatever its thread died of: InvalidTag, KeyError, ...

    def __init__(self, endpoint: Endpoint, trust: Trust, limits: Limits) -> None:
        super().__init__(endpoint, trust, limits)
        self._socket: GuardedSocket | None = None
        self._transport: paramiko.Transport | None = None
        self._alarm: Alarm | None = None

    def _open(self) -> None:
        if self.trust.identity_file is not None:
            checked_identity_file(self.trust.identity_file)  # a key that others may read is no reason to connect at all
        shown = self._handshake(tuple(key.type for key in self.trust.host_keys) or HOST_KEY_TYPES)
        if shown in self.trust.revoked:
            raise revoked_host_key(self.endpoint, shown)
        if not self.trust.host_keys:
            raise unknown_host_key(self.endpoint, shown)
        if shown not in self.trust.host_keys:
            raise changed_host_key(self.endpoint, self.trust.host_keys, shown)
        self._log_in()

    def scan(self) -> HostKey:
        """The key that the device shows now. Nothing is sent that could log us in; the connection is closed."""
        with contextlib.closing(self), self._translated("key exchange"):
            return self._handshake(tuple(key.type for key in self.trust.host_keys) or HOST_KEY_TYPES)

    def _handshake(self, key_types: tuple[str, ...]) -> HostKey:
        """Connect and exchange keys; the server has proven that it owns the key that is returned."""
        self._socket = dial(self.endpoint, self.limits.connect_s)
        self._alarm = Alarm(self._socket_down)
        self._transport = transport = paramiko.Transport(self._socket, default_window_size=_WINDOW_BYTES)
        transport.banner_timeout = self.limits.banner_s
        transport.handshake_timeout = transport.auth_timeout = (
            2 * self.limits.auth_s
        )  # the alarm names the phase, first
        offered = transport.get_security_options()
        offered.ciphers = CIPHERS
        offered.digests = MACS
        offered.key_types = [
            name for key in HOST_KEY_TYPES if key in key_types for name in _SIGNATURES.get(key, (key,))
        ]

        negotiated = threading.Event()
        transport.start_client(event=negotiated)
        with self._phase("banner", self.limits.banner_s):
            self._socket.identified.wait()
            if not self._socket.speaks_ssh and not self._socket.first_words:
                raise EOFError
        if not self._socket.speaks_ssh:
            raise self._not_ssh(self._socket.first_words)
        with self._phase("key exchange", self.limits.auth_s):
            negotiated.wait()
            if not transport.is_active():
                raise self._no_agreement(transport.get_exception())
        key = transport.get_remote_server_key()
        return HostKey(type=key.get_name(), blob=key.asbytes())

    def _not_ssh(self, first_words: bytes) -> EdgekitError:
        return NetworkError(
            f"{self.endpoint} speaks no SSH, it says '{printable(first_words, limit=80)}'",
            hint="is this the right port? A busy server, or one that bans us after failed log-ins, says so instead",
            phase="banner",
        )

    def _no_agreement(self, cause: Exception | None) -> EdgekitError:
        if isinstance(cause, IncompatiblePeer) and "host key" in str(cause):
            return changed_host_key(self.endpoint, self.trust.host_keys, None)
        return NetworkError(
            f"{self.endpoint} and edgekit could not agree on a connection (key exchange): {_reason(cause)}",
            hint="does the device run OpenSSH 7.4 or newer? edgekit offers no CBC, SHA-1 or MD5",
            phase="key exchange",
        )

    def _log_in(self) -> None:
        if self._transport is None:
            raise InternalError("no handshake")
        key = self._private_key()
        with self._phase("authentication", self.limits.auth_s):
            try:
                further = self._transport.auth_publickey(self.endpoint.user, key)
            except BadAuthenticationType as cause:
                raise AuthenticationError(
                    f"{self.endpoint} takes no keys, only {', '.join(map(printable, cause.allowed_types))}",
                    hint="allow PubkeyAuthentication in its sshd_config; edgekit sends no passwords",
                ) from cause
            except paramiko.AuthenticationException as cause:
                if not self._transport.is_active():
                    raise EOFError("the server hung up") from cause
                raise AuthenticationError(
                    f"{self.endpoint} does not accept the key {self.trust.identity_file} "
                    f"({key.get_name()} {key.fingerprint})",
                    hint=f"ssh-copy-id -i {self.trust.identity_file} {self.endpoint.user}@{self.endpoint.host}, "
                    "and check that the account is not locked",
                ) from cause
        if further:
            raise AuthenticationError(
                f"{self.endpoint} wants more than a key: {', '.join(map(printable, further))}",
                hint="set AuthenticationMethods publickey for this user",
            )
        self._transport.set_keepalive(max(1, round(self.limits.keepalive_s)))

    def _private_key(self) -> paramiko.PKey:
        path = checked_identity_file(self.trust.identity_file)
        try:
            key = _load_key(path)
        except TypeError as cause:  # cryptography's word for a missing passphrase
            raise AuthenticationError(
                f"the identity file {path} is protected by a passphrase",
                hint="load it with ssh-add and use openssh:// instead of ssh://, or give a key for this device alone",
            ) from cause
        except (ValueError, UnsupportedAlgorithm, paramiko.SSHException) as cause:
            raise AuthenticationError(
                f"the identity file {path} holds no private key that edgekit can use",
                hint="ssh-keygen -t ed25519 makes one",
            ) from cause
        if isinstance(key, paramiko.RSAKey) and key.get_bits() < _MIN_RSA_BITS:
            raise AuthenticationError(
                f"the identity file {path} holds an RSA key of {key.get_bits()} bits, the limit is {_MIN_RSA_BITS}",
                hint="ssh-keygen -t ed25519 makes a better one",
            )
        return key

    def _start(self, program: str) -> ByteChannel:
        if self._transport is None or self._alarm is None:
            raise NetworkError(f"{self.endpoint} is not open", hint="call open() first")
        with self._phase("channel", self.limits.channel_s):
            try:
                channel = self._transport.open_session(timeout=self.limits.channel_s)
                channel.exec_command(shell_command(program))  # the only command that we ever run
            except paramiko.SSHException as cause:
                if not self._transport.is_active():
                    raise
                raise DeviceError(
                    f"{self.endpoint} logs us in but runs no command: {printable(str(cause))}",
                    hint="check the key's options in authorized_keys, and the user's shell",
                ) from cause
        return _SshChannel(channel, self._transport, self._alarm, endpoint=self.endpoint, limits=self.limits)

    @contextlib.contextmanager
    def _phase(self, name: str, limit_s: float) -> Iterator[None]:
        """A block that is ended after `limit_s` by shutting the socket down."""
        if self._alarm is None:
            raise InternalError("no connection")
        try:
            with self._alarm.guard(limit_s):
                yield
        except Exception as cause:  # see foreign_errors
            if self._alarm.expired:
                raise DeadlineError(
                    f"{self.endpoint} took longer than {limit_s:g} s (phase {name})",
                    hint="the device may be overloaded, or something between us and it swallows packets",
                    phase=name,
                    limit_s=limit_s,
                ) from cause
            if isinstance(cause, EdgekitError):
                raise
            raise NetworkError(
                f"{self.endpoint} broke the connection (phase {name}): {_reason(cause)}",
                hint="try again; after failed logins a server may refuse us for a while",
                phase=name,
            ) from cause

    def _socket_down(self) -> None:
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(2)
            self._socket.identified.set()

    def _close(self) -> None:
        if self._transport is not None:
            self._socket_down()  # its thread reads the end now, instead of after its next poll
            if self._transport.is_alive():
                self._transport.join(5)
            self._transport.close()
            self._transport.packetizer.complete_handshake()  # ends a timer thread that a failed key exchange leaves
            self._transport = None
        if self._alarm is not None:
            self._alarm.stop()
            self._alarm = None
        if self._socket is not None:
            self._socket.close()
            self._socket = None


class _SshChannel(ByteChannel):
    """An exec channel. Paramiko's writes can hang in a full socket buffer, so the alarm watches each of them."""

    def __init__(
        self,
        channel: paramiko.Channel,
        transport: paramiko.Transport,
        alarm: Alarm,
        *,
        endpoint: Endpoint,
        limits: Limits,
    ) -> None:
        self.endpoint = endpoint
        self._channel = channel
        self._transport = transport
        self._alarm = alarm
        self._limits = limits
        self._channel.settimeout(limits.idle_s)
        self._tail = StderrTail(channel.recv_stderr, str(endpoint))

    def read(self, limit_bytes: int, timeout_s: float) -> bytes:
        self._channel.settimeout(timeout_s)
        with self._watched("answer", timeout_s, alarm_s=timeout_s + 1):  # recv acknowledges, and that is a write
            data: bytes = self._channel.recv(limit_bytes)
            if not data and not self._transport.is_active() and not self._channel.exit_status_ready():
                raise EOFError
            return data

    def readable(self) -> bool:
        return bool(self._channel.recv_ready() or self._channel.closed)

    def write(self, data: bytes, timeout_s: float) -> None:
        self._channel.settimeout(timeout_s)
        rest = memoryview(data)
        with self._watched("transfer", timeout_s, alarm_s=timeout_s):
            while rest:
                sent = self._channel.send(bytes(rest[:_CHUNK_BYTES]))
                if sent == 0:
                    raise EOFError
                rest = rest[sent:]
                self._alarm.extend(timeout_s)

    @contextlib.contextmanager
    def _watched(self, phase: str, limit_s: float, *, alarm_s: float) -> Iterator[None]:
        try:
            with self._alarm.guard(alarm_s):
                yield
        except Exception as cause:  # see SshTransport.foreign_errors
            if isinstance(cause, TimeoutError) or self._alarm.expired:
                raise DeadlineError(
                    f"{self.endpoint} was silent for {limit_s:g} s (phase {phase})",
                    hint="the device or the network may be gone; try again, a half upload is resumed",
                    phase=phase,
                    limit_s=limit_s,
                ) from cause
            raise NetworkError(
                f"the connection to {self.endpoint} broke (phase {phase}): {_reason(cause)}",
                hint="check that the device is up and try again; a half upload is resumed",
                phase=phase,
            ) from cause

    def stderr_tail(self) -> str:
        return self._tail.text()

    def exit_status(self, timeout_s: float) -> int | None:
        if not self._channel.status_event.wait(timeout_s):
            return None
        self._tail.wait_ended(min(timeout_s, _LAST_WORDS_S))
        status: int = self._channel.exit_status
        return None if status < 0 else status

    def close(self) -> None:
        if not self._channel.closed:
            with (
                contextlib.suppress(Exception),
                self._alarm.guard(self._limits.close_s + 1),
            ):
                self._channel.shutdown_write()
                self._channel.status_event.wait(self._limits.close_s)
                self._channel.close()
        self._tail.join(self._limits.close_s)


def _load_key(path: Path) -> paramiko.PKey:
    """Read a private key with cryptography's parser.

    Paramiko's own one fails on some keys without a comment: it takes their last byte for padding
    (`paramiko.pkey._unpad_openssh`, 5.1.0; 4 of 8 new ecdsa keys of `ssh-keygen -C ""`).
    """
    data = path.read_bytes()
    try:
        loaded = serialization.load_ssh_private_key(data, password=None)
    except ValueError:
        loaded = serialization.load_pem_private_key(data, password=None)  # type: ignore[assignment]  # wider, see below
    if isinstance(loaded, rsa.RSAPrivateKey):
        return paramiko.RSAKey(key=loaded)
    if isinstance(loaded, ec.EllipticCurvePrivateKey):
        return paramiko.ECDSAKey(vals=(loaded, loaded.public_key()))
    return paramiko.Ed25519Key.from_private_key_file(str(path))  # the one format that it takes is ours


def _reason(cause: Exception | None) -> str:
    """An exception of paramiko in words; many have none."""
    if cause is None or isinstance(cause, EOFError):
        return "it hung up"
    return printable(str(cause)) or type(cause).__name__


TRANSPORT = SshTransport
