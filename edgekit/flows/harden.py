"""A device behind a key that reaches only the agent: first the plan, which changes nothing, then the deed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from edgekit.core.device_entry import DeviceEntry
from edgekit.core.errors import AuthenticationError, ConfigurationError, EdgekitError, UnsupportedError
from edgekit.core.events import Event, OnEvent, ignore
from edgekit.core.files import require_readable
from edgekit.device import harden as device
from edgekit.device.agent_build import agent_digest
from edgekit.device.deploy_key import deploy_key_file, make_deploy_key, public_half
from edgekit.device.trust import identity_path
from edgekit.flows.inventory import inventory


@dataclass(frozen=True, kw_only=True)
class Hardening:
    """What is going to happen.

    Attributes:
        entry: the device, as the inventory has it.
        login: the same with the key that has a shell there.
        account: who we are there.
        folder: where the launcher will lie.
        key_file: the private key for deployments; it need not be there yet.
        sources: addresses that may use it; none leaves what its line says.
        allow_root: the agent may run as root.
    """

    entry: DeviceEntry
    login: DeviceEntry
    account: device.Account
    folder: PurePosixPath
    key_file: Path
    sources: tuple[str, ...]
    allow_root: bool

    def document(self) -> dict[str, Any]:
        """The plan as `edgekit devices harden --dry-run --json` prints it."""
        return {
            "schema": "edgekit.harden/1",
            "device": self.entry.name,
            "user": self.account.user,
            "uid": self.account.uid,
            "privilege": self.account.privilege,
            "folder": str(self.folder),
            "agent": agent_digest(),
            "key_file": str(self.key_file),
            "key_is_new": not self.key_file.exists(),
            "key_is_listed": self.account.listed,
            "other_keys": self.account.keys - self.account.listed,
            "sources": list(self.sources),
            "options": list(device.narrowed(self.account, self.sources)),
            "done": False,
        }


def plan_hardening(
    name: str,
    *,
    login: Path | None = None,
    sources: tuple[str, ...] = (),
    allow_root: bool = False,
    folder: PurePosixPath | None = None,
    on_event: OnEvent = ignore,
) -> Hardening:
    """Log in as usual and look; nothing is changed.

    Args:
        name: of a device in the inventory.
        login: private key that has a shell there; None means the one that commands use, or before a first hardening
            $EDGEKIT_KEY and ~/.ssh/id_ed25519.
        sources: patterns of addresses that may use the new key; none leaves what its line says.
        allow_root: harden the account of root.
        folder: where the launcher shall lie; None leaves it to `Account.folder`.
        on_event: listener.

    Raises:
        UnsupportedError: it is reached without SSH.
        ConfigurationError: there is no such device, or the account is root's and `allow_root` is not set.
        TrustError, NetworkError, DeviceError: it cannot be asked.
    """
    entry = inventory().listed(name)
    if not entry.url.startswith(("ssh://", "openssh://")):
        raise UnsupportedError(f"{name} is reached by {entry.url}, without a key", hint="only SSH devices need this")
    key_file = deploy_key_file(name)
    shell_entry = replace(entry, identity_file=_login_key(entry, login, key_file))
    on_event(Event(phase="look", message=f"logging in to {name}"))
    account = device.look(shell_entry, public_half(key_file) if key_file.exists() else None)
    if account.uid == 0 and not allow_root:
        raise ConfigurationError(
            f"{entry.url} is the account of root: a model that breaks out of its process would own the device",
            hint="give edgekit an ordinary user's account, or say --allow-root",
        )
    return Hardening(
        entry=entry,
        login=shell_entry,
        account=account,
        folder=folder or account.folder,
        key_file=key_file,
        sources=sources,
        allow_root=allow_root,
    )


def harden(plan: Hardening, *, on_event: OnEvent = ignore) -> dict[str, Any]:
    """Do it, prove it, and use the new key from now on; the document that `edgekit devices harden --json` prints.

    Whatever goes wrong, inventory and authorized_keys are as they were; if the latter cannot be had, the error says so.

    Raises:
        TrustError: the key reaches more than the agent.
        DeviceError, NetworkError, StorageError: it could not be done.
    """
    public_key = make_deploy_key(plan.key_file)
    line = device.key_line(plan.account, plan.folder, public_key, name=plan.entry.name, sources=plan.sources)
    on_event(Event(phase="install", message=f"agent {agent_digest()[:12]} in {plan.folder}"))
    try:
        device.install(plan.login, plan.account, plan.folder, line, public_key=public_key, allow_root=plan.allow_root)
        on_event(Event(phase="prove", message="logging in with the new key"))
        device.prove(replace(plan.entry, identity_file=plan.key_file))
        known = inventory()
        known.change(replace(known.listed(plan.entry.name), identity_file=plan.key_file))
    except BaseException as error:
        on_event(Event(phase="undo", message="taking the key's line back"))
        _take_back(plan, line, public_key, error)
        raise
    return {**plan.document(), "key_is_new": False, "key_is_listed": True, "done": True}


def _take_back(plan: Hardening, line: str, public_key: str, error: BaseException) -> None:
    try:
        device.undo(plan.login, plan.account, line, public_key=public_key)
    except EdgekitError as second:
        if isinstance(error, EdgekitError):
            raise type(error)(
                f"{error.message}; and the key's line could not be taken back: {second.message}",
                hint=f"remove the line that ends with edgekit-{plan.entry.name} from ~/.ssh/authorized_keys there",
                **error.details,
            ) from error


def _login_key(entry: DeviceEntry, login: Path | None, key_file: Path) -> Path:
    """The key that has a shell: never the one that is to have none."""
    if login is not None:
        require_readable(login.expanduser(), what="key file")
        chosen: Path | None = login.expanduser().absolute()
    else:
        bare = replace(entry, identity_file=None)
        chosen = identity_path(bare if entry.identity_file == key_file else entry)
    if chosen is None or chosen == key_file:
        raise AuthenticationError(
            f"no key is known that has a shell on {entry.name}", hint="give it once: --login ~/.ssh/id_ed25519"
        )
    return chosen
