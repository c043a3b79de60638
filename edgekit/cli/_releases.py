"""edgekit devices confirm, pin and unpin: which releases a device keeps."""

from __future__ import annotations

import click

from edgekit.cli._options import with_output
from edgekit.cli._output import Output


@click.command()
@click.argument("name")
@with_output
def confirm(name: str, console: Output) -> None:
    """Confirm the release that is on trial on a device: it stays."""
    from edgekit.flows.confirmation import confirm_pending
    from edgekit.flows.inventory import inventory

    document = confirm_pending(inventory().get(name))
    console.show(document, lambda: click.echo(f"confirmed {document['active']} on {name}"))


@click.command()
@click.argument("name")
@click.argument("release")
@with_output
def pin(name: str, release: str, console: Output) -> None:
    """Keep a RELEASE (its digest, or the first digits) on a device, whatever is collected."""
    _pin(name, release, console, pinned=True)


@click.command()
@click.argument("name")
@click.argument("release")
@with_output
def unpin(name: str, release: str, console: Output) -> None:
    """Let a RELEASE be collected again."""
    _pin(name, release, console, pinned=False)


def _pin(name: str, release: str, console: Output, *, pinned: bool) -> None:
    from edgekit.flows import confirmation
    from edgekit.flows.inventory import inventory

    document = confirmation.pin(inventory().get(name), release, pinned=pinned)
    word = "pinned" if pinned else "unpinned"
    console.show(document, lambda: click.echo(f"{word} {document['release'][:12]} on {name}"))
