"""The top command: verbs are found by name and imported when they are used, errors become one line and an exit code."""

from __future__ import annotations

import importlib
import signal
from collections.abc import Sequence

import click

from edgekit import __version__
from edgekit.core.errors import EdgekitError, InternalError, InterruptedByUserError, UsageError

VERBS = {
    "init": "Write an edgekit.toml for this folder.",
    "doctor": "Say what is missing here or on a device, and how to mend it.",
    "targets": "List kinds of machine, or show one.",
    "recipes": "List recipes: what they do and when to use them.",
    "inspect": "Show what a model is and on which targets it fits.",
    "check": "Check project, data and recipe without doing anything.",
    "compile": "Compress a model for a target and write a bundle.",
    "deploy": "Compile, push, activate and prove a model on a device.",
    "status": "Show what is active on a device.",
    "rollback": "Make the previous release active again.",
    "profile": "Measure latency and memory on a device.",
    "evaluate": "Measure accuracy on a device.",
    "report": "Show a stored run as table, markdown, JSON or HTML.",
    "devices": "Add, list, remove and trust devices.",
    "emulator": "Bring emulated devices up and down.",
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
        error.show()
        if "--json" in arguments:
            from edgekit.cli._output import print_error_document

            print_error_document(UsageError(error.format_message()))
        return UsageError.exit_code
    except (KeyboardInterrupt, click.Abort):
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C must not break into the last words
        return _report(InterruptedByUserError("interrupted; what was finished is kept"), arguments)
    except EdgekitError as error:
        return _report(error, arguments)
    except BrokenPipeError:
        raise
    except Exception as cause:
        if "--debug" in arguments:
            raise
        message = f"a bug in edgekit: {type(cause).__name__}: {cause}"
        return _report(InternalError(message, hint="run it again with --debug and report what it prints"), arguments)


def _report(error: EdgekitError, arguments: Sequence[str]) -> int:
    from edgekit.cli._output import show_error

    show_error(error, as_json="--json" in arguments, debug="--debug" in arguments)
    return error.exit_code
