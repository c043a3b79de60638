"""The folder that a study is: `study.json` says what it is, `study.db` holds its trials where no server does."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit, urlunsplit

import filelock

import edgekit
from edgekit.core.digest import sha256_json
from edgekit.core.errors import InputError, LockedError, UsageError
from edgekit.core.files import storage_errors, write_atomically
from edgekit.core.search import space
from edgekit.core.search.goals import Goal, Limit
from edgekit.core.search.space import Parameter
from edgekit.engines._base import StudyPlan

SCHEMA = "edgekit.study/1"
_FILE, _DATABASE, _LOCK, LOG = "study.json", "study.db", "study.lock", "workers.log"
_POSTGRESQL = ("postgresql", "postgres", "postgresql+psycopg")
_URL = re.compile(r"postgres(ql)?(\+psycopg)?://.*", re.DOTALL)
_NAME_DIGITS = 8


@dataclass(frozen=True, kw_only=True)
class StudyFolder:
    """What `study.json` says.

    Attributes:
        path: of the folder, absolute.
        name: of the study in its storage.
        engine: that made it.
        strategy: of the engine.
        seed: of its sampler.
        identity: see `StudyPlan.identity`.
        parameters: declared ones.
        goals: at least one.
        limits: constraints.
        storage: URL of a PostgreSQL database without its password; None for `study.db` in the folder.
        command: that made it, for people.
    """

    path: Path
    name: str
    engine: str
    strategy: str
    seed: int
    identity: Mapping[str, Any]
    parameters: tuple[Parameter, ...]
    goals: tuple[Goal, ...]
    limits: tuple[Limit, ...]
    storage: str | None = None
    command: tuple[str, ...] = ()

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read the folder of a study.

        Raises:
            InputError: it is none, it is damaged, or a newer edgekit made it.
        """
        file = path / _FILE
        try:
            text = json.loads(file.read_bytes())
        except (FileNotFoundError, NotADirectoryError) as cause:
            raise InputError(f"{path} is no study: it holds no {_FILE}", hint="give the folder of a search") from cause
        except (OSError, ValueError) as cause:
            raise InputError(f"{file} cannot be read: {cause}", hint="start a new study in another folder") from cause
        try:
            return cls._parsed(path.absolute(), text)
        except (KeyError, TypeError, ValueError, AttributeError) as cause:
            raise InputError(f"{file} is damaged: {cause}", hint="start a new study in another folder") from cause

    @classmethod
    def _parsed(cls, path: Path, text: Mapping[str, Any]) -> Self:
        if (schema := text.get("schema")) != SCHEMA:
            raise InputError(
                f"{path / _FILE} has the schema {schema!r}; this edgekit reads {SCHEMA}",
                hint=f"use the edgekit that made it ({text.get('edgekit', 'unknown')})",
            )
        return cls(
            path=path,
            name=str(text["name"]),
            engine=str(text["engine"]),
            strategy=str(text["strategy"]),
            seed=int(text["seed"]),
            identity=dict(text["identity"]),
            parameters=space.from_json(text["parameters"]),
            goals=tuple(Goal(metric=str(metric)) for metric in text["goals"]),
            limits=tuple(
                Limit(metric=str(limit["metric"]), most=float(limit["most"]), source=str(limit["source"]))
                for limit in text["limits"]
            ),
            storage=None if text["storage"] is None else str(text["storage"]),
            command=tuple(map(str, text["command"])),
        )

    def plan(self, storage: str | None = None) -> StudyPlan:
        """The study for an engine.

        Args:
            storage: URL of the database, with its password where it needs one; None takes what the folder says, and
                libpq looks for the password in $PGPASSWORD and ~/.pgpass.
        """
        return StudyPlan(
            name=self.name,
            storage=storage_url(storage or self.storage, self.path),
            identity=self.identity,
            parameters=self.parameters,
            goals=self.goals,
            limits=self.limits,
            strategy=self.strategy,
            seed=self.seed,
        )

    def write(self) -> None:
        """Make the folder, and say in it what it is.

        Raises:
            StorageError: the disk is full.
            InputError: the folder cannot be written to.
        """
        text = {
            "schema": SCHEMA,
            "edgekit": edgekit.__version__,
            "name": self.name,
            "engine": self.engine,
            "strategy": self.strategy,
            "seed": self.seed,
            "identity": dict(self.identity),
            "parameters": space.as_json(self.parameters),
            "goals": [goal.metric for goal in self.goals],
            "limits": [{"metric": at.metric, "most": at.most, "source": at.source} for at in self.limits],
            "storage": self.storage,
            "command": list(self.command),
        }
        write_atomically(self.path / _FILE, json.dumps(text, indent=2, sort_keys=True).encode() + b"\n")

    def forget(self) -> None:
        """Make the folder one that holds no study again; for one in which no trial came to an end."""
        for path in [self.path / _FILE, *self.path.glob(f"{_DATABASE}*")]:
            path.unlink(missing_ok=True)

    def require_same(self, other: StudyFolder) -> None:
        """Refuse to go on with a study that is about something else.

        Raises:
            InputError: says what differs.
        """
        mine, theirs = self._compared(), other._compared()
        differing = [name for name in sorted(mine | theirs) if mine.get(name) != theirs.get(name)]
        if differing:
            shown = "; ".join(
                f"{name}: {_short(mine.get(name))} there, {_short(theirs.get(name))} now" for name in differing
            )
            raise InputError(
                f"the study in {self.path} is another one: {shown}",
                hint="ask for the same as before, or choose another folder with --study",
            )

    def _compared(self) -> dict[str, Any]:
        same: dict[str, Any] = json.loads(json.dumps(dict(self.identity)))
        return same | {"engine": self.engine, "strategy": self.strategy, "seed": self.seed, "storage": self.storage}


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Keep other searches out of a study's folder, which is made where it is not there.

    Raises:
        LockedError: another process is at it.
        InputError: it cannot be made.
    """
    with storage_errors(path):
        try:
            path.mkdir(parents=True, exist_ok=True)
            lock = filelock.FileLock(path / _LOCK, timeout=0, mode=0o600)
            lock.acquire()
        except filelock.Timeout as cause:
            raise LockedError(
                f"another edgekit is searching in {path}", hint="wait until it has finished, or choose another --study"
            ) from cause
        except (FileExistsError, NotADirectoryError, PermissionError) as cause:
            raise InputError(
                f"the study's folder {path} cannot be made: {cause.strerror}", hint="choose another one with --study"
            ) from cause
    try:
        yield
    finally:
        lock.release()


def is_study(path: Path) -> bool:
    """Whether a folder holds a study."""
    return (path / _FILE).exists()


def name_for(path: Path, identity: Mapping[str, Any]) -> str:
    """A name that no other folder's study has in a database that they share."""
    return f"{path.name.removesuffix('.search')}-{sha256_json([str(path.absolute()), dict(identity)])[:_NAME_DIGITS]}"


def storage_url(storage: str | None, folder: Path) -> str:
    """The URL that engines take: of a PostgreSQL database, or of `study.db` in the folder.

    Raises:
        UsageError: it is neither.
    """
    if storage is None:
        return f"sqlite:///{folder.absolute() / _DATABASE}"
    scheme, separator, rest = storage.partition("://")
    if not separator or scheme not in _POSTGRESQL:
        raise UsageError(
            f"a study cannot be stored at {without_password(storage)}",
            hint="--storage postgresql://user@host/database, or leave it out: the study is in its folder then",
        )
    return f"postgresql+psycopg://{rest}"


def without_password(url: str) -> str:
    """A URL that may be shown and written."""
    parts = urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{user.partition(':')[0]}{at}{host}", query=_harmless(parts.query)))


def shown_command(command: Sequence[str]) -> tuple[str, ...]:
    """A command without the passwords of its URLs."""
    return tuple(_URL.sub(lambda found: without_password(found.group()), word) for word in command)


def _harmless(query: str) -> str:
    return "&".join(
        part for part in query.split("&") if part and not part.lower().startswith(("password=", "sslpassword="))
    )


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text[:12] if len(text) == 64 else text[:80]
