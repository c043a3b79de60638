"""What a rollout has concluded, written down device by device, so that one that was cut off can go on."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import filelock

from edgekit.core.digest import sha256_json
from edgekit.core.errors import ConfigurationError, LockedError
from edgekit.core.files import storage_errors, write_atomically
from edgekit.flows.fleet.member import Member, State

_SCHEMA = "edgekit.fleet-journal/1"
_NAME_DIGITS = 16


@dataclass(frozen=True, kw_only=True)
class Journal:
    """One rollout: these releases to these devices. Its first line says what it is, each other line is a member.

    Attributes:
        path: the file.
        key: digest of releases and devices; its first digits are the rollout's name.
    """

    path: Path
    key: str

    @classmethod
    def of(cls, releases: Mapping[str, str], devices: Sequence[str], folder: Path) -> Self:
        """The journal of a rollout.

        Args:
            releases: digest of the bundle by target.
            devices: names.
            folder: where journals lie.
        """
        key = sha256_json([dict(releases), sorted(devices)])
        return cls(path=folder / f"{key[:_NAME_DIGITS]}.jsonl", key=key)

    @property
    def name(self) -> str:
        """Of the rollout."""
        return self.key[:_NAME_DIGITS]

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep others from the same rollout.

        Raises:
            LockedError: another process is at it.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(self.path.with_suffix(".lock"), timeout=0, mode=0o600)
        try:
            with lock:
                yield
        except filelock.Timeout as cause:
            raise LockedError(
                "another edgekit is deploying this release to these devices", hint="wait until it has finished"
            ) from cause

    def finished(self) -> dict[str, Member]:
        """Devices that got the release before the rollout was cut off; empty if there was none.

        What a device that failed says now may be something else, so it is tried again.

        Raises:
            ConfigurationError: a newer edgekit wrote the journal, or it is damaged.
        """
        try:
            lines = self.path.read_bytes().splitlines(keepends=True)
        except FileNotFoundError:
            return {}
        whole = [line for line in lines if line.endswith(b"\n")]  # the last one may have been cut off
        try:
            head, *rest = [json.loads(line) for line in whole] or [{"key": None}]
            if head["key"] != self.key or head["schema"] != _SCHEMA:
                raise ValueError(f"schema {head.get('schema')!r}")
            members = [Member.from_json(value) for value in rest]
        except (ValueError, KeyError, TypeError) as cause:
            raise ConfigurationError(
                f"the journal {self.path} cannot be read: {cause}", hint="deploy without --resume"
            ) from cause
        return {one.device: one for one in members if one.state is State.NEW and not one.counts}

    def begin(self, members: Iterable[Member] = ()) -> None:
        """Start anew, with what is already done.

        Raises:
            StorageError: the disk is full.
        """
        lines = [{"schema": _SCHEMA, "key": self.key}, *(member.as_json() for member in members)]
        write_atomically(self.path, b"".join(map(_line, lines)), mode=0o600)

    def add(self, member: Member) -> None:
        """Write down a device; it is on the disk when this returns.

        Raises:
            StorageError: the disk is full.
        """
        with storage_errors(self.path), self.path.open("ab") as file:
            file.write(_line(member.as_json()))
            file.flush()
            os.fsync(file.fileno())


def _line(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, sort_keys=True, allow_nan=False).encode() + b"\n"
