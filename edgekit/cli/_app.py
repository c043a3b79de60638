"""The top command: verbs are found by name and imported when they are used, errors become one line and an exit code."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence

import click

from edgekit import __version__
from edgekit.cli import Terminated
from edgekit.core.errors import (
    EdgekitError,
    InternalError,
    InterruptedByUserError,
    StorageError,
    TerminatedError,
    UsageError,
)

VERBS = {
    "init": "Write an edgekit.toml for this folder.",
    "doctor": "Say what is missing here or on a device, and how to mend it.",
    "targets": "List kinds of machine, or show one.",
    "recipes": "List recipes: what they do and when to use them.",
    "inspect": "Show what a model is and on which targets it fits.",
    "check": "Check project, data and recipe without doing anything.",
    "compile": "Compress a model for a target and write a bundle.",
    "export": "Write a model as C for a microcontroller's own project.",
    "sensitivity": "Rank the layers of a model by what int8 costs them.",
    "compare": "Compare a compressed model with its float one, layer by layer.",
    "variants": "Make a model by several recipes and compare the forms.",
    "search": "Search the best models for a device within a budget.",
    "deploy": "Compile, push, activate and prove a model on a device.",
    "status": "Show what is active on a device.",
    "rollback": "Make the previous release active again.",
    "profile": "Measure latency and memory on a device.",
    "evaluate": "Measure accuracy on a device.",
    "gate": "Hold a build against budgets and a baseline, on its devices.",
    "baseline": "Save, list and remove what builds are held against.",
    "report": "Show a stored run as table, markdown, JSON or HTML.",
    "sbom": "Write what a bundle is made of, and how it was made.",
    "keys": "Make, install and rotate the keys that sign releases.",
    "devices": "Add, list, remove and trust devices.",
    "emulator": "Bring emulated devices up and down.",
    "selftest": "Inject faults and see whether edgekit keeps its promises.",
}
"""Every verb with its one line of help, so that `edgekit --help` imports none of them."""


class LazyGroup(click.Group):
    """A group whose commands live in `edgekit.cli.<name>` as `command`."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """Names, in the order of a project's life."""
        return list(VERBS)

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one verb."""
        if cmd_name not in VERBS:
            return None
        command: click.Command = importlib.import_module(f"edgekit.cli.{cmd_name}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, with a did-you-mean."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from edgekit.core.suggest import did_you_mean

            hint = did_you_mean(args[0], VERBS) if args else None
            if hint is None or "Did you mean" in error.message:
                raise
            raise click.UsageError(f"{error.message} {hint[0].upper()}{hint[1:]}", ctx) from error

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of verbs, without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl(list(VERBS.items()))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="edgekit")
def app() -> None:
    """Compress a trained model for a device, deploy it there, and prove it there."""


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code."""
    try:
        result = app.main(args=list(arguments), prog_name="edgekit", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.ClickException as error:
        return _report_usage(error, arguments)
    except BrokenPipeError:
        raise
    except SystemExit:
        if type(sys.stdout).__name__.endswith("PacifyFlushWrapper"):  # how click says that the pipe is closed
            return 0
        raise
    except (KeyboardInterrupt, Exception) as cause:
        ours = _as_ours(cause)
        if ours is not cause and isinstance(ours, InternalError) and "--debug" in arguments:
            raise
        return _report(ours, arguments)


def _as_ours(cause: BaseException) -> EdgekitError:
    """What ended a command, as an error with an exit code."""
    match cause:
        case EdgekitError():
            return cause
        case KeyboardInterrupt() | click.Abort():
            if isinstance(cause, Terminated) or isinstance(cause.__cause__, Terminated):  # click makes it an Abort
                return TerminatedError("ended by SIGTERM; what was finished is kept")
            return InterruptedByUserError("interrupted; what was finished is kept")
        case OSError():  # a home, temporary or working folder that cannot be used
            what = f"cannot use {cause.filename}: {cause.strerror}" if cause.filename else str(cause)
            hint = "check that the folder is there, has room and may be written to, the working folder too"
            error: EdgekitError = StorageError(what, hint=hint)
        case _:
            hint = "run it again with --debug and report what it prints"
            error = InternalError(f"a bug in edgekit: {type(cause).__name__}: {cause}", hint=hint)
    error.__cause__ = cause
    return error


def _report_usage(error: click.ClickException, arguments: Sequence[str]) -> int:
    error.show()
    if "--json" in arguments:
        from edgekit.cli._output import print_error_document

        print_error_document(UsageError(error.format_message()))
    return UsageError.exit_code


def _report(error: EdgekitError, arguments: Sequence[str]) -> int:
    from edgekit.cli._output import show_error

    show_error(error, as_json="--json" in arguments, debug="--debug" in arguments)
    return error.exit_code
