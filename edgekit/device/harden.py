"""Gives a device a key that reaches only the agent: who we are there, what is installed, and proof that it holds.

The key's line in authorized_keys names a forced command, the launcher, whatever the client asks for. The launcher is
the bootstrap as a file: it starts the one agent that lies beside it, and takes none from the host.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, Self

from edgekit.core.device_entry import DeviceEntry
from edgekit.core.errors import DeviceError, EdgekitError, NetworkError, ProtocolError, TrustError, UnsupportedError
from edgekit.device.agent_build import agent_digest, bootstrap_source, build_agent, installer_source
from edgekit.device.fields import Fields
from edgekit.device.session import Session
from edgekit.device.trust import trust_for
from edgekit.device.wire import Wire
from edgekit.transports import Endpoint, Limits, Transport, printable, transport_for

PREFIX = PurePosixPath("/opt/edgekit")
"""Where launchers lie on a device where root can be had, one folder for each account."""

_ANSWER = b"EDGEKIT-HARDEN/1 "
_LIMITS = Limits(idle_s=60.0)
"""sudo, two fsyncs and the compilation of the agent take a slow device a while."""

_PLAIN_USER = re.compile(r"[A-Za-z_][A-Za-z0-9._-]{0,31}")
_PLAIN_PATH = re.compile(r"(?:/[A-Za-z0-9_+-][A-Za-z0-9._+-]*|/\.[A-Za-z0-9_+-][A-Za-z0-9._+-]*)+")
_KEPT = re.compile(r'(?:from="[A-Za-z0-9.:*?!,/-]+"|expiry-time="[0-9]{8,14}Z?")', re.IGNORECASE)
_PRIVILEGES = ("root", "sudo", "none")
_SOURCE = re.compile(r"!?[A-Za-z0-9.:*?-]+(?:/[0-9]{1,3})?")
_SHELL_WITNESS = "EDGEKIT-THIS-KEY-HAS-A-SHELL"


@dataclass(frozen=True, kw_only=True)
class Account:
    """Who we are on a device, as it tells. The names can stand in a command line without quotes.

    Attributes:
        user: log-in name.
        uid: 0 is root.
        python: path of the interpreter that `python3` is.
        root: the agent's ROOT.
        privilege: "root", "sudo" (without a password) or "none": how files get there that the user may not write.
        keys: lines of authorized_keys that are keys.
        listed: the key in question is one of them.
        options: what narrows that line beside what we write: `from=` and `expiry-time=`.
        before: that line, or those lines, in base64 as the installer takes them back; empty for none.
    """

    user: str
    uid: int
    python: str
    root: str
    privilege: str
    keys: int
    listed: bool
    options: tuple[str, ...] = ()
    before: str = field(default="", repr=False)

    @property
    def folder(self) -> PurePosixPath:
        """Where the launcher would lie: root's, or where root cannot be had the user's own."""
        return PurePosixPath(self.root) / "launcher" if self.privilege == "none" else PREFIX / self.user

    @classmethod
    def parse(cls, answer: Fields, *, device: str) -> Self:
        """Read what the installer tells.

        Args:
            answer: of a device that may lie.
            device: its name, for messages.

        Raises:
            UnsupportedError: a name there cannot stand in a command line.
            ProtocolError: it is no such answer.
        """
        account = cls(
            user=answer.text("user"),
            uid=answer.integer("uid"),
            python=answer.text("python"),
            root=answer.text("root"),
            privilege=answer.text("privilege"),
            keys=answer.integer("keys"),
            listed=answer.boolean("listed"),
            options=answer.texts("options"),
            before=answer.exact_text("before"),
        )
        if account.privilege not in _PRIVILEGES:
            raise ProtocolError(f"{device} answers with the privilege '{account.privilege}'", hint="is it honest?")
        for option in account.options:
            if not _KEPT.fullmatch(option):
                raise UnsupportedError(
                    f"authorized_keys on {device} narrows the key by {option}, which edgekit cannot keep",
                    hint="remove the key's line there; give the addresses with --from",
                )
        for what, value, plain in (
            ("the user name", account.user, _PLAIN_USER),
            ("the path of Python", account.python, _PLAIN_PATH),
            ("ROOT", account.root, _PLAIN_PATH),
        ):
            if not plain.fullmatch(value):
                raise UnsupportedError(
                    f"{what} on {device} is '{value}', which cannot stand in authorized_keys",
                    hint="choose an account whose names are of letters, digits, '.', '_' and '-'",
                )
        return account


def look(entry: DeviceEntry, public_key: str | None) -> Account:
    """Ask who we are, and whether a key may log in there already.

    Args:
        entry: the device, with a key that has a shell.
        public_key: `ssh-ed25519 AAAA...`, None when it is not generated yet.

    Raises:
        TrustError, NetworkError: nobody can log in.
        UnsupportedError: a name there cannot stand in a command line, or the key is narrowed in a way of its own.
        DeviceError: authorized_keys there cannot be used.
    """
    answer = _ask(entry, {"do": "look", "key": public_key.split()[1] if public_key else ""})
    return Account.parse(answer, device=entry.name)


def key_line(account: Account, folder: PurePosixPath, public_key: str, *, name: str, sources: tuple[str, ...]) -> str:
    """The line of authorized_keys (sshd(8)): no forwarding, no terminal, no rc file, and one command only.

    Args:
        account: whose.
        folder: where the launcher lies.
        public_key: `ssh-ed25519 AAAA...`.
        name: of the device, for the comment.
        sources: addresses that may use the key, as patterns of `from=`; none leaves what its line says, and all where
            that says nothing.

    Raises:
        UnsupportedError: a pattern is none, or the folder cannot stand in a command line.
    """
    if not _PLAIN_PATH.fullmatch(str(folder)):
        raise UnsupportedError(
            f"the folder '{printable(str(folder), limit=80)}' cannot stand in authorized_keys",
            hint="choose an absolute path of letters, digits, '.', '_' and '-'",
        )
    for source in sources:
        if not _SOURCE.fullmatch(source):
            raise UnsupportedError(
                f"'{printable(source, limit=80)}' is no address pattern", hint="write one like 192.0.2.0/24"
            )
    words = ["restrict", f'command="{account.python} -I {folder}/launch.py"', *narrowed(account, sources)]
    return f"{','.join(words)} {public_key} edgekit-{name}"


def narrowed(account: Account, sources: tuple[str, ...]) -> tuple[str, ...]:
    """The options that narrow the key's line: those that it has, with other addresses where some are given."""
    if not sources:
        return account.options
    others = (one for one in account.options if not one.lower().startswith("from="))
    return (f'from="{",".join(sources)}"', *others)


def install(
    entry: DeviceEntry, account: Account, folder: PurePosixPath, line: str, *, public_key: str, allow_root: bool
) -> None:
    """Write launcher, agent and settings, then the key's line.

    Args:
        entry: the device, with a key that has a shell.
        account: what `look` found.
        folder: where the launcher shall lie.
        line: what `key_line` made.
        public_key: the key in it.
        allow_root: the launcher starts the agent for root too.

    Raises:
        DeviceError: something there cannot be written; the message says what.
    """
    order = {
        "do": "install",
        "privilege": account.privilege,
        "program": installer_source(),
        "folder": str(folder),
        "launcher": bootstrap_source(),
        "sha256": agent_digest(),
        "agent": base64.b64encode(build_agent()).decode("ascii"),
        "settings": {"root": account.root, "allow_root": allow_root},
        "key": public_key.split()[1],
        "line": line,
    }
    _ask(entry, order)


def undo(entry: DeviceEntry, account: Account, line: str, *, public_key: str) -> None:
    """Give the key what it had in authorized_keys before `install`; the launcher stays, nobody starts it.

    Args:
        entry: the device, with a key that has a shell.
        account: what `look` found.
        line: what `install` wrote; if the key has another one now, that stays.
        public_key: the key in it.

    Raises:
        EdgekitError: it could not be done.
    """
    _ask(entry, {"do": "undo", "key": public_key.split()[1], "line": line, "before": account.before})


def prove(entry: DeviceEntry) -> None:
    """Log in with the new key: the agent must answer, confined, and nothing else may.

    Args:
        entry: the device with that key.

    Raises:
        TrustError: the key still reaches a shell.
        AuthenticationError: sshd does not take it.
        DeviceError: no agent answers.
    """
    with Session(_transport(entry)) as session:
        confined, digest = session.hello.confined, session.hello.agent
    if not confined or digest != agent_digest() or has_shell(entry):
        raise TrustError(
            f"the new key of {entry.name} does more than start the agent: sshd passes its command over",
            hint="look for ForceCommand, AuthorizedKeysCommand or AuthorizedKeysFile in its sshd_config",
        )


def has_shell(entry: DeviceEntry) -> bool:
    """Whether an entry's key can run a program of our own choice."""
    witness = _SHELL_WITNESS.encode()
    program = f"import os, sys; os.write(1, b'{_SHELL_WITNESS[:8]}' + b'{_SHELL_WITNESS[8:]}\\n')"
    heard = b""
    with _transport(entry) as transport:
        channel = transport.start(program)
        try:
            channel.write(b"\n", _LIMITS.idle_s)
            while chunk := channel.read(4096, _LIMITS.idle_s):
                heard = (heard + chunk)[-8192:]
        except NetworkError:
            pass  # it hung up: no shell
    return witness in heard


def _transport(entry: DeviceEntry) -> Transport:
    return transport_for(Endpoint.parse(entry.url), trust=trust_for(entry), limits=_LIMITS)


def _ask(entry: DeviceEntry, order: Mapping[str, Any]) -> Fields:
    with _transport(entry) as transport:
        wire = Wire(transport.start(installer_source()), transport.endpoint, _LIMITS.idle_s)
        try:
            wire.write_message(dict(order))
            wire.skip_to(_ANSWER)
            answer = Fields(wire.read_message(), "the installer's answer")
        except DeviceError as error:
            raise _without_shell(entry, error) from error
    if answer.has("error"):
        raise DeviceError(
            f"{entry.name} cannot be hardened: {answer.text('error')}", hint="mend that there, then try again"
        )
    return answer


def _without_shell(entry: DeviceEntry, error: EdgekitError) -> EdgekitError:
    """The forced command of a hardened key refuses the installer as it refuses everything."""
    if error.details.get("exit_status") != 65:
        return error
    return TrustError(
        f"the key {entry.identity_file} runs no program on {entry.name}, only the agent",
        hint="give one that has a shell there: --login ~/.ssh/id_ed25519",
    )
