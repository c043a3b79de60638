"""A release on trial: active, but taken back at its deadline unless the host confirms it.

state.json keeps the release before as the active one meanwhile, and the release on trial as `pending` with `until`. So
whatever loses that word, a reboot above all, goes back; docs/adr/0018 tells why.
"""

from __future__ import annotations

from device_agents.linux import environment, requests, state, tries
from device_agents.linux.errors import AgentError
from device_agents.linux.record import dataclass, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from device_agents.linux.health import Health
    from device_agents.linux.root import Root

MAX_CONFIRM_S = 86_400.0
_SWITCH_S = 900.0
"""Two golden runs of at most 300 s, and what lies between."""


@dataclass(frozen=True)
class Terms:
    """On what terms a release becomes active.

    Attributes:
        confirm_s: seconds that the host has to confirm it; None means that the activation itself is enough.
        retry: also when it failed here before.
        health: the commands that have to succeed, None without any.
    """

    confirm_s: float | None = None
    retry: bool = False
    health: Health | None = None


def terms(params: dict[str, Any], root: Root, hangup: int) -> Terms:
    """The parameters `confirm_s`, `retry`, `health` and `health_s` of an activation, each of which may be missing.

    Args:
        params: of the request.
        root: of the device, whose health commands they name.
        hangup: the host's end of the channel.

    Raises:
        AgentError: E_PROTOCOL for values that cannot be, E_INPUT or E_VERIFY for a health command that cannot be run.
    """
    given = params.get("confirm_s") is not None
    confirm_s = requests.seconds(params, "confirm_s", MAX_CONFIRM_S) if given else None
    if confirm_s == 0:
        raise requests.bad("confirm_s is 0: nothing could be confirmed in that time")
    return Terms(confirm_s, requests.flag(params, "retry"), _health(params, root, hangup))


def _health(params: dict[str, Any], root: Root, hangup: int) -> Health | None:
    names = requests.names_or_none(params, "health")
    if not names:
        return None
    from device_agents.linux import health  # subprocess, which other activations do without

    if len(names) > health.MOST:
        raise requests.bad(f"{len(names)} health commands are more than {health.MOST}")
    limit_s = health.DEFAULT_S if params.get("health_s") is None else requests.seconds(params, "health_s", health.MAX_S)
    return health.Health(root, names, limit_s, hangup)


def left_s(pending: dict[str, Any]) -> float:
    """Seconds until a pending release is taken back; 0 for one that has run out, or that no trial was agreed for.

    By CLOCK_BOOTTIME: a wall clock that jumps changes nothing, and a machine that slept has lost its time.
    """
    until = pending.get("until")
    if not isinstance(until, (int, float)) or pending.get("boot_id") != environment.boot_id():
        return 0.0
    return max(0.0, until - environment.boottime_s())


def waiting(stored: state.State) -> dict[str, Any] | None:
    """The release on trial, while its time runs."""
    pending = stored.pending
    return pending if pending is not None and left_s(pending) > 0 else None


def shown(stored: state.State) -> tuple[str | None, str | None]:
    """The releases that `current` and `previous` lead to: those of a trial while it runs."""
    pending = waiting(stored)
    return (stored.active, stored.previous) if pending is None else (str(pending["digest"]), stored.active)


def shown_left_s(stored: state.State) -> float | None:
    """Seconds that the host still has to confirm the active release; None when it need not."""
    pending = waiting(stored)
    return None if pending is None else round(left_s(pending), 3)


def switch_limit_s(terms: Terms) -> float:
    """How long the switch may take, before whoever makes it counts as hung."""
    return _SWITCH_S + (0.0 if terms.health is None else len(terms.health.names) * terms.health.limit_s)


def health_facts(terms: Terms) -> dict[str, Any]:
    """What `pending` keeps of the health commands, for whoever takes the release back."""
    return {} if terms.health is None else {"health": terms.health.names, "health_s": terms.health.limit_s}


def undone(root: Root, stored: state.State) -> state.State:
    """The state once its pending switch is taken back, with the cause.

    A switch that was cut off says nothing of the release, unless that happens again and again.
    """
    pending = stored.pending
    if pending is None:
        return stored
    digest, failed = str(pending["digest"]), stored.failed
    if "until" in pending:
        same_boot = pending.get("boot_id") == environment.boot_id()
        reason = "it was not confirmed in time" if same_boot else "the machine restarted before it was confirmed"
        failed = state.with_failure(failed, digest, reason)
    elif tries.note(root, digest) >= tries.MOST:
        failed = state.with_failure(failed, digest, f"its activation was cut off {tries.MOST} times")
        tries.clear(root)
    return replace(stored, pending=None, failed=failed)


def check_may_start(stored: state.State, digest: str, retry: bool) -> None:
    """Refuse what would cut a trial short, and what failed here before.

    Raises:
        AgentError: E_LOCKED while another release is on trial, E_ROLLED_BACK for one that failed.
    """
    pending = waiting(stored)
    if pending is not None:
        if pending["digest"] == digest:
            return
        rest_s = left_s(pending)
        raise AgentError(
            "E_LOCKED",
            "the release {} is on trial for another {:.0f} s".format(pending["digest"], rest_s),
            "confirm it (edgekit devices confirm), go back (edgekit rollback), or wait",
            pending=pending["digest"],
            confirm_left_s=round(rest_s, 3),
        )
    reason = stored.failed.get(digest)
    if reason is not None and not retry and digest != stored.active:
        raise AgentError(
            "E_ROLLED_BACK",
            f"the release {digest} has failed on this device before: {reason}",
            "deploy another one, or this one again with --retry",
            failed=digest,
            reason=reason,
        )


def nothing_to_confirm(stored: state.State, digest: str) -> AgentError:
    """The answer to a confirmation that comes too late, or for a release that nobody has activated."""
    reason = stored.failed.get(digest)
    if reason is not None:
        return AgentError(
            "E_ROLLED_BACK",
            f"the release {digest} is not active any more: {reason}",
            "deploy again with --retry, and more time to confirm",
            failed=digest,
            reason=reason,
        )
    return AgentError("E_INPUT", f"the release {digest} waits for no confirmation here", "deploy it")
