"""Runs that are kept, failed ones too, and how they are shown again."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgekit.core.errors import EdgekitError, InputError, StorageError
from edgekit.core.files import write_atomically
from edgekit.core.measurement import Measurement
from edgekit.store.results import ResultStore, default_path

_RECENT_RUNS = 1000
"""So many runs are searched for the first digits of an id."""


@dataclass(kw_only=True)
class Run:
    """A run that is going on; `keep` stores what came of it."""

    command: list[str]
    run_id: str | None = field(default=None)

    def keep(self, document: dict[str, Any], measurement: Measurement | None = None) -> dict[str, Any]:
        """Store the document with its raw samples; returns it with its `run_id`.

        What was done is done: a store that cannot be written to takes nothing away from it, and `run_id` is then null.
        """
        try:
            self.run_id = ResultStore(default_path()).record({**document, "command": self.command}, measurement)
        except EdgekitError as error:
            return {**document, "run_id": None, "run_id_reason": f"this run is not kept: {error.message}"}
        return {**document, "run_id": self.run_id}


@contextmanager
def keep_run() -> Iterator[Run]:
    """Store what happens: a block that fails with one of our errors leaves a failed run behind."""
    run = Run(command=["edgekit", *sys.argv[1:]])
    try:
        yield run
    except EdgekitError as error:
        if run.run_id is None:
            _keep_failure(run, error)
        raise


def _keep_failure(run: Run, error: EdgekitError) -> None:
    try:
        ResultStore(default_path()).record(
            {"schema": "edgekit.error/1", "command": run.command, "status": "failed", "error": _plain(error)}
        )
    except EdgekitError:
        return  # the user hears of the first error; a store that cannot be written to must not hide it


def _plain(error: EdgekitError) -> dict[str, Any]:
    return {"code": error.code, "message": error.message, "hint": error.hint, "exit_code": error.exit_code}


@dataclass(frozen=True, kw_only=True)
class KeptRun:
    """A stored run.

    Attributes:
        run_id: its name.
        document: as it was printed.
        measurement: raw samples, None when nothing was measured.
    """

    run_id: str
    document: Mapping[str, Any]
    measurement: Measurement | None

    @property
    def page_document(self) -> dict[str, Any]:
        """As `page_document`."""
        return page_document(self.document)


def page_document(document: Mapping[str, Any]) -> dict[str, Any]:
    """A document in the form of a deploy's, which the report reads."""
    schema = str(document.get("schema", ""))
    for part in ("profile", "evaluation"):
        if schema.startswith(f"edgekit.{part.removesuffix('ion')}") and part not in document:
            kept = {key: document[key] for key in ("schema", "command", "run_id", "created_utc") if key in document}
            return {**kept, part: dict(document)}
    return dict(document)


def latest_runs(n: int) -> list[dict[str, Any]]:
    """The last runs, newest first."""
    return [
        {
            "run_id": run.run_id,
            "command": run.command,
            "status": str(run.status),
            "device": run.device,
            "target": run.target,
        }
        for run in ResultStore(default_path()).latest(n)
    ]


def load_run(run_id: str | None) -> KeptRun:
    """A stored run: by its id or the first digits of it; None takes the latest.

    Raises:
        InputError: there is none.
    """
    store = ResultStore(default_path())
    if run_id is None:
        latest = store.latest(1)
        if not latest:
            raise InputError("there are no runs yet", hint="edgekit deploy MODEL --target NAME makes one")
        stored = latest[0]
    else:
        begin_so = [run for run in store.latest(_RECENT_RUNS) if run.run_id.startswith(run_id)]
        stored = begin_so[0] if len(begin_so) == 1 else store.run(run_id)
    measurement = store.measurement(stored.run_id) if stored.has_measurement else None
    document = {**stored.document, "run_id": stored.run_id, "created_utc": stored.created_utc}
    return KeptRun(run_id=stored.run_id, document=document, measurement=measurement)


def run_as_json(run: KeptRun) -> dict[str, Any]:
    """The document with its run id."""
    return dict(run.document)


def write_html(run: KeptRun, path: Path) -> None:
    """Write the page; an existing file is replaced whole or not at all.

    Raises:
        StorageError: the disk is full; a page that was there stays.
    """
    from edgekit.report import build_page, html  # the report's modules are only for those who want a report

    _write(path, html.render(build_page(run.page_document, run.measurement)))


def pages_folder() -> Path:
    """The folder of pages that were made to be looked at once; it is there afterwards."""
    folder = default_path().parent / "pages"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def write_markdown(run: KeptRun, path: Path | None) -> str:
    """The run as Markdown, written to a file when there is a path."""
    from edgekit.report import build_page, markdown

    text = markdown.render(build_page(run.page_document, run.measurement))
    if path is not None:
        _write(path, text)
    return text


def write_json(run: KeptRun, path: Path) -> None:
    """Write the document with every raw sample."""
    from edgekit.report import as_json

    _write(path, as_json.render(run.document, run.measurement))


def _write(path: Path, text: str) -> None:
    if path.is_dir():
        raise InputError(f"{path} is a folder", hint="give the name of a file")
    try:
        write_atomically(path, text.encode())
    except OSError as cause:
        raise StorageError(f"cannot write {path}: {cause.strerror}", hint="choose another place") from cause
