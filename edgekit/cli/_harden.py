"""edgekit devices harden: a key for a device that reaches only the agent."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from edgekit.cli._output import Output, output_options, shown

_HOW = {
    "root": "as root",
    "sudo": "as root, by sudo",
    "none": "as this user: root and sudo without a password cannot be had, so a model that breaks out could change it",
}


@click.command()
@click.argument("name")
@click.option("--login", type=click.Path(path_type=Path), help="Private key that has a shell there, used this once.")
@click.option(
    "--from",
    "sources",
    multiple=True,
    metavar="ADDRESS",
    help="Who may use the new key, * for all; may be repeated. Without it the key's line stays as narrow as it is.",
)
@click.option("--allow-root", is_flag=True, help="Harden the account of root, and let the agent run as root.")
@click.option("--dry-run", is_flag=True, help="Log in and look, show the plan, change nothing.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@output_options
def harden(
    name: str,
    login: Path | None,
    sources: tuple[str, ...],
    allow_root: bool,
    dry_run: bool,
    yes: bool,
    as_json: bool,
    quiet: bool,
    verbose: bool,
) -> None:
    """Give a device a key that can do nothing but speak to the agent.

    Run it again after an update of edgekit: the new key starts the installed agent and no other.
    """
    from edgekit.flows.harden import harden as do_it
    from edgekit.flows.harden import plan_hardening

    if not (yes or dry_run or _can_ask(as_json)):
        raise click.UsageError("nobody is there to ask; give --yes, or --dry-run to see the plan")
    output = Output(as_json=as_json, quiet=quiet, verbose=verbose)
    with output.progress() as on_event:
        plan = plan_hardening(name, login=login, sources=sources, allow_root=allow_root, on_event=on_event)
    document = plan.document()
    if dry_run:
        output.show(document, lambda: _draw_plan(document))
        return
    if not yes:
        _draw_plan(document)
        click.confirm("Go ahead?", abort=True)
    with output.progress() as on_event:
        document = do_it(plan, on_event=on_event)
    output.show(document, lambda: _draw_done(document))


def _can_ask(as_json: bool) -> bool:
    return not as_json and sys.stdin is not None and sys.stdin.isatty()


def _draw_plan(document: Mapping[str, Any]) -> None:
    key = "a new key" if document["key_is_new"] else "the key"
    agent, folder, how = document["agent"][:12], document["folder"], _HOW[document["privilege"]]
    for line in (
        f"on {document['device']}, for the user {document['user']}:",
        f"  write the launcher and the agent {agent} into {folder}, {how}",
        f"  let {key} ({document['key_file']}) start that agent and nothing else"
        + (f", with {', '.join(document['options'])}" if document["options"] else ""),
        f"  leave the other keys in authorized_keys ({document['other_keys']}) as they are",
        f"here: use that key for {document['device']} from then on",
    ):
        click.echo(shown(line))


def _draw_done(document: Mapping[str, Any]) -> None:
    click.echo(shown(f"{document['device']} is hardened: {document['key_file']} starts the agent and nothing else"))
    if document["other_keys"]:
        click.echo(f"other keys may still log in there ({document['other_keys']}); remove those that need not")
