"""edgekit keys: the keys that sign releases."""

from __future__ import annotations

from pathlib import Path

import click

from edgekit.cli._options import with_output
from edgekit.cli._output import Output, shown
from edgekit.cli._settings import PATH, choose, device_option, project_options


@click.group(name="keys")
def command() -> None:
    """Make, list, export, install, use and rotate the keys that sign releases (docs/guide/signing.md)."""


@command.command()
@click.argument("name")
@with_output
def new(name: str, console: Output) -> None:
    """Make the key NAME: an Ed25519 key in a file that only you can read."""
    from edgekit.flows.keys import new_key

    document = new_key(name)

    def draw() -> None:
        click.echo(f"key     {name}")
        click.echo(f"id      {document['id']}")
        click.echo(f"public  {document['public']}")
        click.echo("keep a copy in a safe place: without it, devices that trust it have to be visited")

    console.show(document, draw)


@command.command("list")
@with_output
def list_(console: Output) -> None:
    """List the keys, and the devices whose releases they sign."""
    from edgekit.flows.keys import key_documents

    documents = key_documents()

    def draw() -> None:
        from edgekit.cli import _render

        rows = [(d["name"], d["id"][:16], ", ".join(d["devices"])) for d in documents]
        _render.table("", ("key", "id", "devices"), rows)

    console.show({"schema": "edgekit.keys/1", "keys": documents}, draw)


@command.command()
@click.argument("name")
@with_output
def export(name: str, console: Output) -> None:
    """Print the public half of the key NAME as PEM; the private half stays where it is."""
    from edgekit.flows.keys import export_key

    document = export_key(name)
    console.show(document, lambda: click.echo(document["pem"], nl=False))


@command.command()
@click.argument("name")
@device_option
@project_options
@with_output
def install(name: str, device: str | None, config: Path | None, console: Output) -> None:
    """Have a device trust the key NAME: from now on it takes nothing that the key has not signed."""
    from edgekit.flows.keys import install_key

    entry = choose(config, device=device).device()
    with console.progress() as on_event:
        document = install_key(name, entry, on_event=on_event)

    def draw() -> None:
        click.echo(shown(f"{entry.name} trusts {name} (policy {document['serial']}, counter {document['counter']})"))
        if not document["listed"]:
            click.echo(f"it is in no inventory: give --sign-key {name} to each deploy")

    console.show(document, draw)


@command.command()
@click.argument("name")
@with_output
def rotate(name: str, console: Output) -> None:
    """Make a new key in the place of NAME, and have its devices trust the new one alone."""
    from edgekit.flows.keys import rotate_key

    with console.progress() as on_event:
        document = rotate_key(name, on_event=on_event)

    def draw() -> None:
        click.echo(f"key     {name}")
        click.echo(f"id      {document['id']}, before {document['before'][:16]}")
        for one in document["devices"]:
            later = f"not yet, the next deploy does it: {one['reason']}"
            click.echo(shown(f"{one['device']}  {'trusts the new key' if one['rotated'] else later}"))

    console.show(document, draw)


@command.command()
@device_option
@click.option("--counter", type=int, required=True, help="The lowest counter that the device shall take.")
@project_options
@with_output
def reset(device: str | None, counter: int, config: Path | None, console: Output) -> None:
    """Set the rollback floor of a device, signed with its key; the way back from a counter that is too high."""
    from edgekit.flows.keys import reset_counter

    entry = choose(config, device=device).device()
    with console.progress() as on_event:
        document = reset_counter(entry, counter, on_event=on_event)
    console.show(document, lambda: click.echo(shown(f"{entry.name} takes releases from {document['counter']} on")))


@command.command()
@click.argument("bundle", type=PATH)
@click.option("--key", metavar="NAME", help="The key (edgekit keys list); needed where there are several.")
@click.option("-d", "--device", help="Sign for the device that has this name.")
@click.option("--group", help="Sign for all devices of this group.")
@click.option("--counter", type=int, help="As `edgekit status` shows it or higher; by default the next one known here.")
@click.option("-o", "--output", type=PATH, help="The envelope; default BUNDLE.dsse.")
@with_output
def sign(
    bundle: Path,
    key: str | None,
    device: str | None,
    group: str | None,
    counter: int | None,
    output: Path | None,
    console: Output,
) -> None:
    """Sign BUNDLE here, for `edgekit deploy --envelope FILE` on a computer that does not have the key."""
    from edgekit.bundle.statement import Audience
    from edgekit.flows.keys import sign_bundle

    if (device is None) == (group is None):
        raise click.UsageError("for whom? Give --device NAME or --group NAME, one of them")
    audience = Audience(kind="group", name=group) if group is not None else Audience(kind="device", name=str(device))
    document = sign_bundle(bundle, key, audience, output or Path(f"{bundle}.dsse"), counter=counter)

    def draw() -> None:
        click.echo(shown(f"signed  {bundle} ({document['bundle_sha256'][:12]}) for {audience}"))
        click.echo(f"counter {document['counter']}")
        click.echo(shown(f"next    edgekit deploy {bundle} --envelope {document['path']} --{audience.kind} ..."))

    console.show(document, draw)
