"""Export: a model as sources that a firmware builds by itself, proven before they are written."""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

from edgekit import __version__
from edgekit.core.errors import InputError, UnsupportedError, UsageError
from edgekit.core.events import OnEvent, ignore
from edgekit.core.files import storage_errors, write_atomically
from edgekit.flows.board import IMAGE, prove_image
from edgekit.flows.prepare import Preparation
from edgekit.flows.request import CompileRequest
from edgekit.flows.trials import run_steps, settled
from edgekit.flows.workspace import workspace

_IDENTIFIER = re.compile(r"[a-z_][a-z0-9_]{0,39}")


def export_model(request: CompileRequest, *, form: str, name: str, on_event: OnEvent = ignore) -> dict[str, Any]:
    """Compile a model for a board, prove it, and write it as sources.

    Args:
        request: as for `compile_model`; `output` is the folder, which must not be there or be empty.
        form: key of `edgekit.mcu.export.FORMATS`, or "tflm".
        name: prefix of the library's functions.
        on_event: listener.

    Returns:
        The document that `edgekit export --json` prints.

    Raises:
        UsageError: the name is no C identifier, or the target is no board.
        InputError: the folder has files in it.
        UnsupportedError, InternalError: as for `compile_model`; nothing is written.
    """
    if not _IDENTIFIER.fullmatch(name):
        raise UsageError(f"--name {name!r} cannot be a prefix in C", hint="take lower-case letters, digits and _")
    if request.target.board is None:
        raise UsageError(f"{request.target.name} is no microcontroller", hint="name a board: edgekit targets")
    folder = request.output or Path(f"{request.model.stem}-{request.target.name}")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder} is there already", hint="choose another --output, or remove it")
    with workspace(on_event) as tools:
        made = Preparation(request, tools)
        artifacts, _ = run_steps(made.source, settled(made.recipe), made.context)
        if artifacts[-1].format != IMAGE:
            raise UnsupportedError(f"recipe {made.recipe.name!r} makes no image", hint="leave out --recipe")
        data = made.context.representative if made.evaluation is None else made.evaluation
        mcu = prove_image(artifacts[-1], artifacts[-2], data, request.target, seed=request.seed, tools=tools)
        tools.tell("export", f"writing {folder}")
        files: dict[str, str] = tools.isolate.call(
            "edgekit.mcu.export.write:sources",
            {
                "model": str(artifacts[-2].path),
                "title": request.model.name,
                "form": form,
                "name": name,
                "core": {**mcu["generated_for"]},
                "version": __version__,
                "facts": mcu,
            },
            what=f"exporting {request.model.name}",
            timeout_s=request.timeout_s,
        )
        _write(folder, files)
    return {
        "schema": "edgekit.export/1",
        "target": request.target.name,
        "format": form,
        "folder": str(folder),
        "files": {path: len(text.encode()) for path, text in sorted(files.items())},
        "artifact_sha256": artifacts[-2].digest,
        "mcu": mcu,
        "warnings": made.warnings,
    }


def _write(folder: Path, files: dict[str, str]) -> None:
    """All files or none: they come into being beside the folder, which is then renamed."""
    with storage_errors(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}.", suffix=".tmp"))
        try:
            for path, text in files.items():
                write_atomically(work / path, text.encode())
            work.chmod(0o755)
            if folder.exists():
                folder.rmdir()
            work.rename(folder)
        finally:
            shutil.rmtree(work, ignore_errors=True)
