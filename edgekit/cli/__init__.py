"""The command line: the only place that prints and exits."""

from __future__ import annotations

import os
import signal
import sys
from typing import NoReturn


def main() -> NoReturn:
    """Entry point of the command `edgekit`."""
    try:
        _open_standard_streams()
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, _interrupt)
        from edgekit.cli._app import run

        code = run(sys.argv[1:])
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:  # `edgekit ... | head` is no error
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        code = 0
    except KeyboardInterrupt:
        code = 130
    sys.exit(code)


def _open_standard_streams() -> None:
    """Give 0, 1 and 2 to the null device where the caller closed them, so that no pipe of ours gets their numbers."""
    while (handle := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(handle, True)  # noqa: FBT003 -- as standard streams are
    os.close(handle)


def _interrupt(_number: int, _frame: object) -> NoReturn:
    """The first Ctrl-C interrupts; later ones must not break into the cleaning up."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    raise KeyboardInterrupt
