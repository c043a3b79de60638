"""The highest counter and trust serial that each signed device has shown, so that one that goes back is noticed.

A thief who puts an older copy of the card into a board brings back releases that were replaced for a reason. The board
cannot know; whoever deploys to it can. The counters that were given out are kept too, so that none is given twice.

A group counts on a line of its own. A device has one floor all the same: what is signed for a group comes after all
that was signed for its members, and what is signed for a member after all that was signed for its groups, also where a
rollout has left the device out. So nothing older gets in by the other line.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Collection, Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import filelock
import platformdirs

from edgekit.bundle.statement import MAX_COUNTER
from edgekit.core.digest import canonical_json, sha256_bytes
from edgekit.core.errors import ConfigurationError, LockedError, VerificationError
from edgekit.core.files import write_atomically
from edgekit.device.replies import Status

SCHEMA = "edgekit.watermark/1"
_LOCK_S = 10.0


@dataclass(frozen=True, kw_only=True)
class Watermark:
    """What was seen of a device.

    Attributes:
        counter: its highest rollback floor.
        serial: its highest trust serial; 0 when it had no policy.
        issued: the highest counter that was signed for it here.
    """

    counter: int = 0
    serial: int = 0
    issued: int = 0


class Watermarks:
    """Those of all devices, one file each.

    Args:
        folder: need not exist; None means `trust` in $EDGEKIT_STATE_DIR, or in the user's state folder.
    """

    def __init__(self, folder: Path | None = None) -> None:
        chosen = os.environ.get("EDGEKIT_STATE_DIR")
        base = Path(chosen) if chosen else platformdirs.user_state_path("edgekit")
        self._folder = folder or base / "trust"

    def get(self, device: str) -> Watermark:
        """What is remembered of a device.

        Raises:
            ConfigurationError: the file is damaged.
        """
        path = self._path(device)
        try:
            content = json.loads(path.read_bytes())
        except FileNotFoundError:
            return Watermark()
        except (OSError, ValueError) as cause:
            raise _damaged(path) from cause
        facts = (
            {key: value for key, value in content.items() if key in asdict(Watermark())} if _is_ours(content) else {}
        )
        if len(facts) != len(asdict(Watermark())) or not all(map(_is_count, facts.values())):
            raise _damaged(path)
        return Watermark(**facts)

    def check(self, device: str, found: Status) -> None:
        """Refuse a device that has gone back.

        Raises:
            VerificationError: its counter or its trust serial is lower than it was.
        """
        if (reason := regress(self.get(device), device, found)) is not None:
            raise VerificationError(
                reason,
                hint="was its card replaced by an older copy? If you know why: "
                f"edgekit keys install NAME --device {device}",
            )

    def see(self, device: str, found: Status) -> None:
        """Remember what a device shows, if it is higher."""

        def change(known: Watermark) -> Watermark:
            return replace(known, counter=max(known.counter, found.counter), serial=max(known.serial, _serial(found)))

        self._change(device, change)

    def accept(self, device: str, found: Status, *, issued: int | None = None) -> None:
        """Take what a device shows for right, also when it is lower.

        Args:
            device: its name.
            found: what it shows.
            issued: go on with the counter behind this one; None goes on as before.
        """

        def change(known: Watermark) -> Watermark:
            given = known.issued if issued is None else issued
            return Watermark(counter=found.counter, serial=_serial(found), issued=given)

        self._change(device, change)

    def forget(self, device: str) -> None:
        """Remember nothing of a device any more."""
        self._path(device).unlink(missing_ok=True)

    def issue(self, device: str, floor: int, *, groups: Iterable[str] = ()) -> int:
        """A counter for the next release of a device: above its floor, and above all that were given out before.

        Args:
            device: its name.
            floor: what it shows.
            groups: that it belongs to.

        Raises:
            VerificationError: there is none left.
        """
        lines = [self.get(_line(group)).issued for group in groups]
        given = 0

        def change(known: Watermark) -> Watermark:
            nonlocal given
            given = _after(device, floor, known.issued, *lines)
            return replace(known, issued=given)

        self._change(device, change)
        return given

    def issue_for_group(self, group: str, members: Collection[str]) -> int:
        """A counter for the next release of a group: above all that were given out for it and for its members.

        It is above the members' floors too, as far as these were seen.

        Args:
            group: its name.
            members: names of the devices in it.

        Raises:
            VerificationError: there is none left.
        """
        given = 0

        def change(known: Watermark) -> Watermark:
            nonlocal given
            given = _after(group, known.issued, *(self.get(name).counter for name in members))
            while (taken := max((self._raise(name, given) for name in members), default=0)) >= given:
                given = _after(group, taken)
            return replace(known, issued=given)

        self._change(_line(group), change)
        return given

    def given(self, name: str, counter: int, *, is_group: bool = False) -> None:
        """Remember a counter that was given out elsewhere, so that ours come after it."""
        self._raise(_line(name) if is_group else name, counter)

    def issued_for_group(self, group: str) -> int:
        """The highest counter that was given out for a group."""
        return self.get(_line(group)).issued

    def _raise(self, name: str, counter: int) -> int:
        """Give out no counter up to this one any more; returns the highest that was given out before."""
        before = 0

        def change(known: Watermark) -> Watermark:
            nonlocal before
            before = known.issued
            return replace(known, issued=max(before, counter))

        self._change(name, change)
        return before

    def _path(self, device: str) -> Path:
        return self._folder / f"{sha256_bytes(device.encode())[:32]}.json"

    def _change(self, device: str, change: Callable[[Watermark], Watermark]) -> None:
        path = self._path(device)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            with filelock.FileLock(path.with_suffix(".lock"), timeout=_LOCK_S, mode=0o600):
                known = self.get(device)
                changed = change(known)
                if changed != known:
                    content = {"schema": SCHEMA, "device": device, **asdict(changed)}
                    write_atomically(path, canonical_json(content) + b"\n", mode=0o600)
        except filelock.Timeout as cause:
            raise LockedError(f"another edgekit holds {path}", hint="try again") from cause


def _line(group: str) -> str:
    """The name of a group's line; no device has a blank in its name."""
    return f"group {group}"


def _after(name: str, *counters: int) -> int:
    counter = max(counters) + 1
    if counter > MAX_COUNTER:
        raise VerificationError(
            f"the counters for {name} have come to their end, {MAX_COUNTER}",
            hint="edgekit keys reset --device NAME --counter N, for each device that has the last one",
        )
    return counter


def regress(known: Watermark, device: str, found: Status) -> str | None:
    """How a device has gone back since it was last seen; None if it has not."""
    if _serial(found) < known.serial:
        now = "no trust policy" if found.trust is None else f"the trust policy {found.trust.serial}"
        return f"{device} has {now}, it had policy {known.serial} before"
    if found.counter < known.counter:
        return f"{device} has gone back: its counter is {found.counter}, it was {known.counter}"
    return None


def _serial(found: Status) -> int:
    return 0 if found.trust is None else found.trust.serial


def _is_ours(content: object) -> bool:
    return isinstance(content, dict) and content.get("schema") == SCHEMA


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_COUNTER


def _damaged(path: Path) -> ConfigurationError:
    return ConfigurationError(
        f"{path} is damaged; whether the device has gone back cannot be told",
        hint="look at the device, then remove the file",
    )
