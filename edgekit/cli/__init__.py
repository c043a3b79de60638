"""The command line: the only place that prints and exits."""

from __future__ import annotations

import gc
import os
import signal
import sys
from typing import NoReturn


def main() -> NoReturn:
    """Entry point of the command `edgekit`."""
    try:
        _open_standard_streams()
        page = _ready_page(sys.argv[1:])
        code = _run() if page is None else _print(page)
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:  # `edgekit ... | head` is no error
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        code = 0
    except Terminated:
        code = 143
    except KeyboardInterrupt:
        code = 130
    sys.exit(code)


class Terminated(KeyboardInterrupt):
    """SIGTERM: whoever cleans up after Ctrl-C does the same."""


def _run() -> int:
    for number, usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGTERM, signal.SIG_DFL)):
        if signal.getsignal(number) is usual:  # who started us may want a signal to be ignored
            signal.signal(number, _interrupt)
    gc.set_threshold(100_000, 50, 50)  # most of what a command makes are modules, which stay
    from edgekit.cli._app import run

    return run(sys.argv[1:])


def _ready_page(arguments: list[str]) -> str | None:
    """What --help and --version print, without importing click; None where it has to be laid out first."""
    from edgekit import __version__
    from edgekit.cli._help import PAGE

    if arguments == ["--version"]:
        return f"edgekit, version {__version__}\n"
    if arguments in (["--help"], ["-h"]) and max(map(len, PAGE.splitlines())) <= _columns() - 2:  # click's margin
        return PAGE
    return None


def _columns() -> int:
    """Width of the terminal as shutil.get_terminal_size() finds it; shutil takes longer to import than all of this."""
    try:
        columns = int(os.environ["COLUMNS"])
    except (KeyError, ValueError):
        columns = 0
    if columns > 0:
        return columns
    try:
        return os.get_terminal_size(sys.__stdout__.fileno()).columns  # type: ignore[union-attr]
    except (AttributeError, ValueError, OSError):
        return 80


def _print(page: str) -> int:
    if sys.stdout is not None:
        sys.stdout.write(page)
    return 0


def _open_standard_streams() -> None:
    """Give 0, 1 and 2 to the null device where the caller closed them, so that no pipe of ours gets their numbers."""
    while (handle := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(handle, True)  # noqa: FBT003 -- as standard streams are
    os.close(handle)


def _interrupt(number: int, _frame: object) -> NoReturn:
    """The first Ctrl-C or SIGTERM interrupts; later ones must not break into the cleaning up."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise Terminated if number == signal.SIGTERM else KeyboardInterrupt
