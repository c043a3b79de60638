"""edgekit selftest: try to break the promises that edgekit makes."""

from __future__ import annotations

import click

from edgekit.cli._options import with_output
from edgekit.cli._output import Output


@click.command()
@click.option("--promises", is_flag=True, help="Try the promises about devices (docs/promises.md).")
@click.option("--only", multiple=True, metavar="ID", help="Try this promise alone, e.g. P5; may be repeated.")
@click.option("--full", is_flag=True, help="Every case instead of a sample; takes hours.")
@with_output
def command(promises: bool, only: tuple[str, ...], full: bool, console: Output) -> int:
    """Inject faults into agents on this computer and see whether each promise holds.

    No device and nothing of yours is touched. Exit code 1 says that a promise was broken, or too few cases were tried.
    """
    from edgekit.selftest import trial
    from edgekit.selftest.promise import Scale

    if not promises and not only:
        raise click.UsageError("nothing to try; edgekit selftest --promises tries what is promised about devices")
    chosen = trial.promises(only)
    scale = Scale.FULL if full else Scale.SAMPLE
    with console.progress() as on_event:
        trials = list(trial.try_promises(chosen, scale, on_event=on_event))
    document = {
        "schema": "edgekit.selftest/1",
        "scale": str(scale),
        "promises": [trial.trial_document(one) for one in trials],
    }

    def draw() -> None:
        from edgekit.cli import _render_selftest

        _render_selftest.promises(document)

    console.show(document, draw)
    return 0 if all(one.is_kept for one in trials) else 1
