"""`current` and `previous`: two symlinks into releases/, and the recovery that makes them agree with state.json."""

from __future__ import annotations

import os
import stat
from contextlib import suppress

from device_agents.linux import confirm, durable, releases, state
from device_agents.linux.errors import AgentError
from device_agents.linux.record import replace
from device_agents.linux.root import is_digest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from device_agents.linux.root import Root


def survey(root: Root) -> tuple[state.State, list[str]]:
    """The state that holds, and warnings about damage; reads only.

    A missing or damaged state.json is rebuilt, in memory, from what the links say and from the highest rollback floor
    that can still be proven. Where a link and state.json disagree, state.json wins: the host was answered only when it
    had been saved.

    Raises:
        AgentError: E_CONFIG when a newer edgekit has written state.json.
    """
    warnings: list[str] = []
    links = [_read(path, warnings) for path in (root.current, root.previous)]
    try:
        stored, loss = state.load(root.state), f"{root.state} is missing"
        is_new = links == [None, None] and not state.recorded_floor(root.state)
    except state.DamagedError as damage:
        stored, loss, is_new = None, str(damage), False
    if stored is None:
        stored = _adopt(root, links)
        if not is_new:
            warnings.append(
                f"{loss}; the state was rebuilt from current and previous, with the rollback floor "
                f"{stored.rollback_floor}"
            )
    elif links != (expected := list(confirm.shown(stored))) and (
        stored.pending is None or stored.pending["digest"] == expected[0]
    ):
        warnings.append(f"current and previous point to {links}, {root.state} says {expected}")
    for name in ("active", "previous"):
        digest = getattr(stored, name)
        if digest is not None and not releases.is_stored(root, digest):
            warnings.append(f"the {name} release {digest} has no manifest any more")
            stored = replace(stored, active=None) if name == "active" else replace(stored, previous=None)
    trial = confirm.waiting(stored)
    if trial is not None and not releases.is_stored(root, trial["digest"]):
        warnings.append("the release {} on trial has no manifest any more".format(trial["digest"]))
        stored = replace(stored, pending=dict(trial, until=0.0))
    return stored, warnings


def recover(root: Root, warn: Callable[[str], None]) -> state.State:
    """Undo what a dead agent left half-done, and mend what can be mended; nothing is written when all is well.

    Only the holder of the lock may call this. A switch without its commit was never acknowledged, so it is undone,
    and so is a trial whose time is over; one that still runs stays.

    Raises:
        AgentError: E_STORAGE when `current` or `previous` is something that is not ours to remove.
    """
    for folder in (root.path, root.releases, root.runtimes):
        durable.remove_temps(folder)
    _remove_dead_uploads(root)
    stored, warnings = survey(root)
    for warning in warnings:
        warn(warning)
    unfinished = stored.pending is not None and confirm.waiting(stored) is None
    if unfinished or warnings:
        switch(root, *confirm.shown(stored))
        if unfinished:
            stored = confirm.undone(root, stored)
        state.save(root.state, stored)
    return stored


def settle(root: Root) -> None:
    """Make the names last that are there already, for what is found in place is not written again.

    Those of uploads, once for all of a release; and those of an agent that was killed between a rename and its fsync:
    the kernel knows them, the disk does not, and all readers see them until the power fails.
    """
    for folder in (root.blobs, root.releases, root.path):
        durable.sync_folder(folder)


def switch(root: Root, active: str | None, previous: str | None) -> None:
    """Point `previous` and `current` to these releases; links that are right already are not touched.

    They lie beside state.json, whose next save makes them last.

    Raises:
        AgentError: E_STORAGE when a file or folder lies where a link belongs.
    """
    for link, digest in ((root.previous, previous), (root.current, active)):
        if _is_foreign(link):
            raise AgentError("E_STORAGE", f"{link} is not a link; it is not ours", "move it away", path=link)
        target = None if digest is None else os.path.relpath(root.release(digest), root.path)
        if (os.readlink(link) if os.path.islink(link) else None) != target:
            durable.point(link, target)


def _read(link: str, warnings: list[str]) -> str | None:
    if _is_foreign(link):
        warnings.append(f"{link} is not a link")
        return None
    try:
        target = os.readlink(link)
    except FileNotFoundError:
        return None
    digest = os.path.basename(target)[: -len(".json")]
    if target == f"releases/{digest}.json" and is_digest(digest):
        return digest
    warnings.append(f"{link} points to {target!r}, which is no release")
    return None


def _is_foreign(link: str) -> bool:
    try:
        return not stat.S_ISLNK(os.lstat(link).st_mode)
    except FileNotFoundError:
        return False


def _adopt(root: Root, links: list[str | None]) -> state.State:
    """A state made from the links and the floor's own file; a link to nothing counts as none.

    Only what was committed raises the floor: the file, and the releases behind the links, not every stored manifest.
    """
    found = [digest if digest and releases.is_stored(root, digest) else None for digest in links]
    try:
        bundles = sorted(name for name in os.listdir(root.runtimes) if is_digest(name))
    except FileNotFoundError:
        bundles = []
    history = [one for one in found if one]
    floors = [state.recorded_floor(root.state)]
    for digest in history:
        with suppress(AgentError, OSError):  # a damaged manifest proves nothing
            floors.append(releases.counter(root, digest))
    return state.State(active=found[0], previous=found[1], rollback_floor=max(floors), history=history, bundles=bundles)


def _remove_dead_uploads(root: Root) -> None:
    """Remove the temp files ("<anything>.<pid>.tmp", written before any lock) of agents that no longer run."""
    for name in os.listdir(root.agents):
        _, pid, suffix = ("..." + name).rsplit(".", 2)
        if suffix == "tmp" and pid.isdigit() and not os.path.exists("/proc/" + pid):
            durable.remove_tree(os.path.join(root.agents, name))
