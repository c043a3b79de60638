"""TOML files read with care: every mistake is named with its file, line and key, and all of them at once."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from types import UnionType
from typing import TYPE_CHECKING, Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from edgekit.core.errors import ConfigurationError, InputError
from edgekit.core.files import require_readable
from edgekit.core.suggest import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

NEWEST_SCHEMA = 1

_MAX_BYTES = 1024 * 1024
_POSITION = re.compile(r"\s*\((?:at line (?P<line>\d+), column (?P<column>\d+)|at end of document)\)")
_HEADER = re.compile(r"\s*(\[{1,2})\s*([^\[\]]+?)\s*\]{1,2}\s*(?:#.*)?")
_ASSIGNMENT = re.compile(r"\s*([^=#\[\]{}]+?)\s*=")
_IN_PLAIN_WORDS = {
    "Cannot overwrite a value": "this key is set a second time",
    "Illegal character '\\x00'": "a NUL byte, so this is not a text file",
}

_Model = TypeVar("_Model", bound=BaseModel)
_Location = tuple[str | int, ...]


@dataclass(frozen=True, kw_only=True)
class TomlFile:
    r"""A TOML file as it was read: byte order mark gone, line ends as `\\n`."""

    path: Path
    text: str
    values: dict[str, Any]

    def line_of(self, location: Sequence[str | int]) -> int:
        """The line, from 1, of the key at a location, or of the nearest thing around it that the file has."""
        best_line, best_score = 1, 0
        for number, found in _keys(self.text):
            score = _common_length(found, location)
            if score > best_score:
                best_line, best_score = number, score
        return best_line


def read_toml(path: Path, *, what: str) -> TomlFile:
    """Read a TOML file of at most 1 MiB.

    Args:
        path: the file.
        what: what it is, e.g. "target" (appears in messages).

    Raises:
        InputError: the path is not a readable regular file.
        ConfigurationError: the file is too large, not UTF-8, not TOML, or of a newer schema.
    """
    require_readable(path, what=f"{what} file")
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
    except OSError as cause:
        raise InputError(f"the {what} file {path} cannot be read: {cause.strerror}", hint="check the disk") from cause
    if len(data) > _MAX_BYTES:
        raise ConfigurationError(f"{path} is larger than 1 MiB", hint=f"is this really a {what} file?")
    text = _decode(path, data)
    try:
        values = tomllib.loads(text)
    except RecursionError as cause:
        raise ConfigurationError(f"{path}: values are nested too deeply", hint="write it flatter") from cause
    except ValueError as cause:
        raise _syntax_error(path, text, str(cause)) from cause
    schema = values.get("schema", NEWEST_SCHEMA)
    if type(schema) is int and schema > NEWEST_SCHEMA:
        raise ConfigurationError(
            f"{path} is of schema {schema}, and this edgekit reads schema {NEWEST_SCHEMA}", hint="upgrade edgekit"
        )
    return TomlFile(path=path, text=text, values=values)


def validate(model: type[_Model], file: TomlFile) -> _Model:
    """Check a file's values against a model.

    Raises:
        ConfigurationError: with one line `file:line: key: what is wrong` for each mistake.
    """
    try:
        return model.model_validate(file.values)
    except ValidationError as cause:
        found = cause.errors(include_url=False, include_context=False)
    mistakes = sorted((_mistake(model, file, error) for error in found), key=lambda mistake: mistake["line"])
    lines = [f"{file.path}:{mistake['line']}: {mistake['key']}: {mistake['message']}" for mistake in mistakes]
    raise ConfigurationError("\n".join(lines), hint=f"mend the {_plural(len(lines), 'line')} above", mistakes=mistakes)


def _decode(path: Path, data: bytes) -> str:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as cause:
        before = data[: cause.start]
        line, column = before.count(b"\n") + 1, cause.start - (before.rfind(b"\n") + 1) + 1
        raise ConfigurationError(
            f"{path}:{line}:{column}: byte 0x{data[cause.start]:02x} is not UTF-8", hint="save the file as UTF-8"
        ) from cause
    return text.replace("\r\n", "\n")


def _syntax_error(path: Path, text: str, message: str) -> ConfigurationError:
    position = _POSITION.search(message)
    lines = text.split("\n")
    line, column = len(lines), len(lines[-1]) + 1
    if position is not None and position["line"] is not None:
        line, column = int(position["line"]), int(position["column"])
    reason = _POSITION.sub("", message).partition(";")[0]
    reason = _IN_PLAIN_WORDS.get(reason, reason[:1].lower() + reason[1:])
    return ConfigurationError(f"{path}:{line}:{column}: {reason}", hint="the file has to be TOML, see https://toml.io")


def _mistake(model: type[BaseModel], file: TomlFile, error: Any) -> dict[str, Any]:
    location: _Location = error["loc"]
    return {
        "line": file.line_of(location),
        "key": _dotted(location),
        "message": _message(model, location, error["type"], error["msg"], error["input"]),
    }


def _message(model: type[BaseModel], location: _Location, kind: str, message: str, value: object) -> str:
    if kind == "missing":
        return "is missing"
    if kind == "extra_forbidden":
        known = _keys_of(_model_at(model, location[:-1]))
        question = did_you_mean(str(location[-1]), known)
        return f"unknown key, {question}" if question else f"unknown key; known: {', '.join(known)}"
    if kind == "value_error":
        return message.removeprefix("Value error, ")
    shown = repr(value)
    return f"{message.replace('Input should', 'should')}, not {shown if len(shown) <= 80 else shown[:80] + '…'}"


def _model_at(annotation: Any, location: _Location) -> type[BaseModel] | None:
    """The model whose keys a location names, looked up through optional, list and mapping types."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        if not location:
            return annotation
        fields = {field.alias or name: field for name, field in annotation.model_fields.items()}
        field = fields.get(str(location[0]))
        return None if field is None else _model_at(field.annotation, location[1:])
    rest = location if get_origin(annotation) in (Union, UnionType) else location[1:]
    return next((found for part in get_args(annotation) if (found := _model_at(part, rest))), None)


def _keys_of(model: type[BaseModel] | None) -> list[str]:
    return [] if model is None else [field.alias or name for name, field in model.model_fields.items()]


def _keys(text: str) -> Iterator[tuple[int, _Location]]:
    """Line and full key of every table header and assignment."""
    table: _Location = ()
    seen: dict[_Location, int] = {}
    for number, line in enumerate(text.split("\n"), 1):
        if header := _HEADER.fullmatch(line):
            table = _parts(header[2])
            if header[1] == "[[":
                seen[table] = seen.get(table, -1) + 1
                table = (*table, seen[table])
            yield number, table
        elif assignment := _ASSIGNMENT.match(line):
            yield number, (*table, *_parts(assignment[1]))


def _parts(key: str) -> _Location:
    return tuple(part.strip().strip("\"'") for part in key.split("."))


def _common_length(one: Sequence[str | int], other: Sequence[str | int]) -> int:
    length = 0
    for left, right in zip(one, other, strict=False):
        if left != right:
            break
        length += 1
    return length


def _dotted(location: _Location) -> str:
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    return text.removeprefix(".") or "the file"


def _plural(count: int, word: str) -> str:
    return word if count == 1 else f"{count} {word}s"
