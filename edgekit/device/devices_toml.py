"""devices.toml as text: a strict reader that names file, line and key, and a writer that is the same every time."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

from edgekit.core.device_entry import LOCAL_NAME, DeviceEntry, Provenance
from edgekit.core.errors import ConfigurationError, EdgekitError, UnsupportedError
from edgekit.core.registry import TRANSPORTS
from edgekit.core.suggest import did_you_mean
from edgekit.transports import Endpoint, HostKey, printable

SCHEMA = 1
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,61}[a-z0-9])?")
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_KEYS = (
    "url",
    "target",
    "host_keys",
    "trust",
    "identity_file",
    "labels",
    "groups",
    "signing_key",
    "unsigned",
    "emulator",
)
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r"}


def checked_name(name: str) -> str:
    """A device name that can stand in a path, a table header and a shell without quotes, and is not reserved.

    Raises:
        ConfigurationError: it cannot, or is.
    """
    if not _NAME.fullmatch(name) or ".." in name:
        raise ConfigurationError(
            f"'{printable(name, limit=80)}' is not a device name",
            hint="use up to 63 lower-case letters, digits, '.', '-' and '_', e.g. pi-4",
        )
    if name == LOCAL_NAME:
        raise ConfigurationError(
            f"'{name}' is the name of this computer, no other device can have it", hint="choose another name"
        )
    return name


def checked_entry(entry: DeviceEntry) -> DeviceEntry:
    """An entry that somebody wants to add, as the file will hold it.

    Raises:
        ConfigurationError: its name, URL or a host key is malformed, or no transport has the URL's scheme.
    """
    checked_name(entry.name)
    scheme, separator, _ = entry.url.partition("://")
    if separator and _WORD.fullmatch(scheme):
        _require_transport(scheme)
    keys = tuple(str(HostKey.parse(key)) for key in entry.host_keys)
    return replace(entry, url=str(Endpoint.parse(entry.url)), host_keys=keys)


def _require_transport(scheme: str) -> None:
    names = TRANSPORTS.names()
    try:
        if scheme not in names:
            TRANSPORTS.load(scheme)  # that of an installed package has no file that is listed
    except UnsupportedError as cause:
        raise ConfigurationError(
            f"edgekit cannot reach a device by {scheme}://",
            hint=f"known are {', '.join(f'{name}://' for name in names)}",
        ) from cause


def parse(text: str, path: Path) -> dict[str, DeviceEntry]:
    """Read the file's text.

    Raises:
        ConfigurationError: with file, line and key of the first thing that is wrong.
    """
    try:
        document = tomllib.loads(text.removeprefix("\ufeff"))
    except tomllib.TOMLDecodeError as cause:
        place = re.search(r"\(at line (\d+), column (\d+)\)", str(cause))
        where = f"{path}:{place[1]}:{place[2]}" if place else str(path)
        reason = printable(str(cause).partition(" (at ")[0], limit=200)
        raise ConfigurationError(f"{where}: {reason}", hint="correct the TOML there") from cause
    return _Reader(text, path).entries(document)


def dump(entries: Iterable[DeviceEntry]) -> str:
    """The file's text: devices by name, keys in a fixed order, what is not set is left out."""
    lines = [f"schema = {SCHEMA}"]
    for entry in sorted(entries, key=lambda entry: entry.name):
        lines += ["", f"[devices.{_quoted(entry.name)}]"]
        values: dict[str, str | bool | tuple[str, ...] | None] = {
            "url": entry.url,
            "target": entry.target,
            "host_keys": entry.host_keys,
            "trust": str(entry.trust),
            "identity_file": None if entry.identity_file is None else str(entry.identity_file),
            "labels": entry.labels,
            "groups": entry.groups,
            "signing_key": entry.signing_key,
            "unsigned": entry.unsigned or None,
            "emulator": entry.emulator,
        }
        lines += [f"{key} = {_value(value)}" for key, value in values.items() if value not in (None, ())]
    return "\n".join(lines) + "\n"


def _value(value: str | bool | tuple[str, ...] | None) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(map(_quoted, value))}]"
    return "true" if value is True else _quoted(value or "")


def _quoted(text: str) -> str:
    """A TOML basic string."""
    return '"' + "".join(_ESCAPES.get(char) or _escaped(char) for char in text) + '"'


def _escaped(char: str) -> str:
    return f"\\u{ord(char):04x}" if ord(char) < 0x20 or ord(char) == 0x7F else char


class _Reader:
    """Turns the parsed document into entries; keeps the text to find the line of a key."""

    def __init__(self, text: str, path: Path) -> None:
        self._lines = text.splitlines()
        self._path = path

    def entries(self, document: Mapping[str, Any]) -> dict[str, DeviceEntry]:
        self._check_keys(document, ("schema", "devices"))
        schema = document.get("schema")
        if schema != SCHEMA or type(schema) is not int:
            newer = type(schema) is int and schema > SCHEMA
            self._wrong(
                None,
                "schema",
                f"this edgekit reads schema {SCHEMA}, not {printable(repr(schema), limit=40)}",
                "update edgekit" if newer else f"begin the file with schema = {SCHEMA}",
            )
        devices = document.get("devices", {})
        if not isinstance(devices, dict):
            self._wrong(None, "devices", "is not a table", "write [devices.NAME]")
        return {name: self._entry(name, table) for name, table in sorted(devices.items())}

    def _entry(self, name: str, table: Any) -> DeviceEntry:
        if not isinstance(table, dict):
            self._wrong(None, name, "is not a table", "write [devices.NAME]")
        self._check_keys(table, _KEYS, table_name=name)
        if "url" not in table:
            self._wrong(name, None, "has no url", 'add url = "ssh://pi@raspberrypi.local"')
        identity = self._text(name, table, "identity_file")
        try:
            entry = DeviceEntry(
                name=checked_name(name),
                url=str(Endpoint.parse(self._text(name, table, "url") or "")),
                target=self._word(name, table, "target"),
                host_keys=tuple(str(HostKey.parse(key)) for key in self._texts(name, table, "host_keys")),
                trust=self._provenance(name, table),
                identity_file=None if identity is None else Path(identity),
                labels=tuple(
                    sorted({self._checked_word(name, "labels", x) for x in self._texts(name, table, "labels")})
                ),
                groups=tuple(
                    sorted({self._checked_word(name, "groups", x) for x in self._texts(name, table, "groups")})
                ),
                signing_key=self._word(name, table, "signing_key"),
                unsigned=self._flag(name, table, "unsigned"),
                emulator=self._word(name, table, "emulator"),
            )
        except EdgekitError as cause:
            if cause.details.get("located"):
                raise
            raise ConfigurationError(f"{self._place(name, None)}: {cause.message}", hint=cause.hint) from cause
        return entry

    def _provenance(self, name: str, table: Mapping[str, Any]) -> Provenance:
        default = Provenance.PINNED if table.get("host_keys") else Provenance.KNOWN_HOSTS
        text = self._text(name, table, "trust") or default
        if text not in list(Provenance):
            self._wrong(name, "trust", f"is '{printable(text, limit=40)}'", f"write one of {', '.join(Provenance)}")
        return Provenance(text)

    def _text(self, name: str, table: Mapping[str, Any], key: str) -> str | None:
        value = table.get(key)
        if value is not None and (not isinstance(value, str) or not value or not value.isprintable()):
            self._wrong(name, key, f"is {printable(repr(value), limit=80)}, not a text", f'write {key} = "..."')
        return value

    def _flag(self, name: str, table: Mapping[str, Any], key: str) -> bool:
        value = table.get(key, False)
        if not isinstance(value, bool):
            self._wrong(name, key, f"is {printable(repr(value), limit=80)}, not true or false", f"write {key} = true")
        return value

    def _word(self, name: str, table: Mapping[str, Any], key: str) -> str | None:
        value = self._text(name, table, key)
        return None if value is None else self._checked_word(name, key, value)

    def _checked_word(self, name: str, key: str, value: str) -> str:
        if not _WORD.fullmatch(value):
            self._wrong(
                name, key, f"has '{printable(value, limit=80)}'", "use up to 63 letters, digits, '.', '-' and '_'"
            )
        return value

    def _texts(self, name: str, table: Mapping[str, Any], key: str) -> list[str]:
        value = table.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            self._wrong(
                name, key, f"is {printable(repr(value), limit=80)}, not a list of texts", f'write {key} = ["..."]'
            )
        return list(value)

    def _check_keys(self, table: Mapping[str, Any], known: tuple[str, ...], *, table_name: str | None = None) -> None:
        for key in table:
            if key not in known:
                hint = did_you_mean(key, known) or f"known are {', '.join(known)}"
                self._wrong(table_name, key, "is not a key that edgekit knows", hint)

    def _wrong(self, table: str | None, key: str | None, what: str, hint: str) -> NoReturn:
        dotted = ".".join(part for part in ("devices" if table else None, table, key) if part)
        raise ConfigurationError(
            f"{self._place(table, key)}: {printable(dotted, limit=120)} {what}", hint=hint, located=True
        )

    def _place(self, table: str | None, key: str | None) -> str:
        """`file:line` of a key, as far as a look at the text can find it."""
        start = 0
        if table is not None:
            header = re.compile(rf"\s*\[\s*devices\s*\.\s*[\"']?{re.escape(table)}[\"']?\s*\]")
            start = next((number for number, line in enumerate(self._lines) if header.match(line)), 0)
        if key is None:
            return f"{self._path}:{start + 1}"
        wanted = re.compile(rf"\s*(?:[\"']?{re.escape(key)}[\"']?\s*=|\[.*{re.escape(key)}[\"']?\s*\])")
        lines = enumerate(self._lines[start:], start + 1)
        return f"{self._path}:{next((number for number, line in lines if wanted.match(line)), start + 1)}"
