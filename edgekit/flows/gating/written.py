"""A gate's document as the files that a CI reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgekit.core.errors import InputError, StorageError
from edgekit.core.files import write_atomically


def write_junit(document: dict[str, Any], path: Path) -> None:
    """Write JUnit XML; an existing file is replaced whole or not at all.

    Raises:
        InputError: it cannot be written there.
        StorageError: the disk is full.
    """
    from edgekit.report import junit  # the report's modules are only for those who want a report

    _write(path, junit.render(document))


def write_markdown(document: dict[str, Any], path: Path | None) -> str:
    """The Markdown, written to a file when there is a path.

    Raises:
        InputError, StorageError: as `write_junit`.
    """
    from edgekit.report import gate_markdown

    text = gate_markdown.render(document)
    if path is not None:
        _write(path, text)
    return text


def _write(path: Path, text: str) -> None:
    if path.is_dir():
        raise InputError(f"{path} is a folder", hint="give the name of a file")
    try:
        write_atomically(path, text.encode(errors="backslashreplace"))  # a file's name need not be UTF-8
    except OSError as cause:
        raise StorageError(f"cannot write {path}: {cause.strerror}", hint="choose another place") from cause
