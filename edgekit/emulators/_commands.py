"""Running the programs of the host: lists only, always with a time limit, failures as our errors."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

from edgekit.core.errors import DeadlineError, EdgekitError, StorageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def run(
    argv: Sequence[str | Path],
    *,
    timeout_s: float,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    error: type[EdgekitError] = StorageError,
    hint: str | None = None,
) -> str:
    """Run a program and return its stdout.

    Args:
        argv: program and arguments.
        timeout_s: limit in seconds.
        env: variables added to ours.
        cwd: working folder.
        error: what to raise when it fails.
        hint: the next step in that case; by default the end of what the program said.

    Raises:
        EdgekitError: of the class `error`, the program failed or is not there.
        DeadlineError: it took longer than `timeout_s`.
    """
    program = str(argv[0])
    try:
        done = subprocess.run(
            [str(part) for part in argv],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout_s,
            check=False,
            cwd=cwd,
            env={**os.environ, "PATH": PATH, "LC_ALL": "C", **(env or {})},
        )
    except subprocess.TimeoutExpired as cause:
        raise DeadlineError(f"{program} took longer than {timeout_s:.0f} s", hint=hint) from cause
    except OSError as cause:
        raise error(f"{program} cannot be run: {cause.strerror}", hint=hint) from cause
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip()[-600:] or "nothing"
        raise error(f"{program} failed ({done.returncode}): {said}", hint=hint or " ".join(str(part) for part in argv))
    return done.stdout.decode(errors="replace")
