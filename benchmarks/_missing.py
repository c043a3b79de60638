"""The one exception of the benchmarks: this computer lacks something."""

from __future__ import annotations

import os
import shutil


class CannotRun(Exception):  # noqa: N818 - a fact about this computer, not a mistake
    """The benchmark cannot run here; the message says what it needs."""


def program(name: str) -> str:
    """The path of a system program.

    Raises:
        CannotRun: it is not installed.
    """
    path = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/local/sbin:/usr/sbin:/sbin")
    if path is None:
        raise CannotRun(f"needs the program {name}; scripts/setup_emulators installs what it may")
    return path
