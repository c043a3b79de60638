"""Leases: one host has the device for itself for a while, and a late writer is told by its token.

The lock keeps two requests apart; a lease keeps the requests of a host together. Each new lease has a higher token. A
request that names a token is done only while that token is the newest, so a host that fell asleep, whose lease has
gone to another, can change nothing any more (M. Kleppmann, "How to do distributed locking", 2016: fencing tokens).
"""

from __future__ import annotations

import json
import os
from contextlib import suppress

from device_agents.linux import durable, environment, lock, requests
from device_agents.linux.errors import AgentError
from device_agents.linux.record import asdict, dataclass, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from device_agents.linux.root import Root

MAX_TTL_S = 86_400.0
MAX_OWNER = 200
SCHEMA = "edgekit.lease/1"
_LIMIT = 16 * 1024


@dataclass(frozen=True)
class Lease:
    """The content of lease.json.

    Attributes:
        token: of the last lease, 0 when there was none.
        owner: whom it was given to; None once it is given back.
        boot_id, until: its end, in seconds of CLOCK_BOOTTIME; a reboot ends it.
    """

    token: int = 0
    owner: str | None = None
    boot_id: str | None = None
    until: float = 0.0

    def left_s(self) -> float:
        """Seconds that it still holds."""
        if self.owner is None or self.boot_id != environment.boot_id():
            return 0.0
        return max(0.0, self.until - environment.boottime_s())

    def facts(self) -> dict[str, Any]:
        """`{owner, token, expires_s}`."""
        return {"owner": self.owner, "token": self.token, "expires_s": round(self.left_s(), 3)}


def answer(root: Root, params: dict[str, Any]) -> dict[str, Any]:
    """The verb `lease`: take, renew or give back."""
    token = _token(params)
    if requests.flag(params, "release"):
        if token is None:
            raise requests.bad("a lease is given back by its token")
        return give_back(root, token)
    owner, ttl_s = requests.text(params, "owner"), requests.seconds(params, "ttl_s", MAX_TTL_S)
    if len(owner) > MAX_OWNER:
        raise requests.bad(f"the owner is longer than {MAX_OWNER} characters")
    return take(root, owner, ttl_s, token)


def take(root: Root, owner: str, ttl_s: float, token: int | None) -> dict[str, Any]:
    """Take the device, or renew a lease by its token, also one that has run out and went to nobody.

    Args:
        root: of the device.
        owner: for people, whom the others are told.
        ttl_s: how long it holds from now on.
        token: of the lease to renew.

    Raises:
        AgentError: E_LOCKED when another lease holds, or the token is not the newest.
    """
    with lock.exclusive(root.lease_lock):
        found = read(root)
        if token is not None:
            _check_newest(found, token)
        elif found.left_s() > 0:
            raise _leased(found)
        else:
            found = replace(found, token=found.token + 1)
        until = environment.boottime_s() + ttl_s
        taken = replace(found, owner=owner, boot_id=environment.boot_id(), until=until)
        _write(root, taken)
    return {"token": taken.token, "expires_s": round(ttl_s, 3)}


def give_back(root: Root, token: int) -> dict[str, Any]:
    """End a lease.

    Raises:
        AgentError: E_LOCKED when the token is not the newest.
    """
    with lock.exclusive(root.lease_lock):
        found = read(root)
        _check_newest(found, token)
        _write(root, replace(found, owner=None, until=0.0))
    return {"token": token, "expires_s": 0.0}


def check(root: Root, params: dict[str, Any]) -> None:
    """Let a request through, by its parameter `token`; whoever asks holds the device's lock.

    Raises:
        AgentError: E_LOCKED when its token is not the newest, or when it has none and somebody has a lease.
    """
    token, found = _token(params), read(root)
    if token is not None:
        _check_newest(found, token)
    elif found.left_s() > 0:
        raise _leased(found)


def shown(root: Root) -> dict[str, Any] | None:
    """The facts of a lease that holds now."""
    found = read(root)
    return found.facts() if found.left_s() > 0 else None


def read(root: Root) -> Lease:
    """The last lease. One that cannot be read was somebody's: the next token is a high one that nobody had."""
    try:
        raw = durable.read_file(root.lease, _LIMIT)
    except FileNotFoundError:
        return Lease()
    except OSError:
        raw = b""
    with suppress(ValueError, KeyError, TypeError, AttributeError, RecursionError):
        content = json.loads(raw.decode("utf-8"))
        if content.pop("schema") == SCHEMA:
            found = Lease(**content)
            if isinstance(found.token, int) and isinstance(found.until, (int, float)):
                return found
    return Lease(token=1 << 32 | int.from_bytes(os.urandom(3), "big") << 8)


def _token(params: dict[str, Any]) -> int | None:
    return None if params.get("token") is None else requests.count(params, "token", 2**63 - 1)


def _write(root: Root, changed: Lease) -> None:
    """As durable.replace, under a name of its own: a recovery under the device's lock removes other temp files."""
    temp = root.lease + ".new"
    with suppress(FileNotFoundError):
        os.unlink(temp)
    durable.create(temp, json.dumps(dict(asdict(changed), schema=SCHEMA), sort_keys=True).encode() + b"\n")
    durable.rename(temp, root.lease)
    durable.sync_folder(root.path)


def _check_newest(found: Lease, token: int) -> None:
    if token != found.token or found.owner is None:
        raise AgentError(
            "E_LOCKED",
            f"the lease {token} is over; the newest on this device is {found.token}",
            "take a new lease and look at the device before going on",
            **dict(found.facts(), stale_token=token),
        )


def _leased(found: Lease) -> AgentError:
    return AgentError(
        "E_LOCKED",
        f"the device is leased to {found.owner} for another {found.left_s():.0f} s",
        "wait, or ask its owner to give it back",
        **found.facts(),
    )
