"""edgekit devices: the inventory."""

from __future__ import annotations

from pathlib import Path

import click

from edgekit.cli._harden import harden
from edgekit.cli._output import Output, output_options, shown
from edgekit.cli._quarantine import release
from edgekit.cli._releases import confirm, pin, unpin


@click.group(name="devices")
def command() -> None:
    """Add, list, remove and trust devices."""


command.add_command(harden)
command.add_command(release)
command.add_command(confirm)
command.add_command(pin)
command.add_command(unpin)


@command.command("list")
@output_options
def list_(as_json: bool, quiet: bool, verbose: bool) -> None:
    """List the inventory."""
    from edgekit.flows.fleet.quarantine import quarantines
    from edgekit.flows.inventory import device_documents

    fenced = quarantines()
    documents = [{**one, "quarantined": fenced.get(one["name"])} for one in device_documents()]

    def draw() -> None:
        from edgekit.cli import _render

        rows = [(d["name"], d["url"], d["target"] or "", d["trust"], d["emulator"] or "") for d in documents]
        _render.table("", ("device", "url", "target", "host key", "emulator"), rows)
        for name, because in fenced.items():
            click.echo(shown(f"{name} is quarantined: {because}; edgekit devices release {name} --reason TEXT"))

    Output(as_json=as_json, quiet=quiet, verbose=verbose).show(
        {"schema": "edgekit.devices/1", "devices": documents}, draw
    )


@command.command()
@click.argument("name")
@click.argument("url")
@click.option("-t", "--target", help="Kind of machine.")
@click.option("--identity", type=click.Path(path_type=Path, readable=False), help="Private key for this device.")
@click.option("--host-key", help="Public host key to pin: 'ssh-ed25519 AAAA...'.")
@click.option("--label", "labels", multiple=True, help="Label; may be repeated.")
@click.option("--group", "groups", multiple=True, help="Group that a fleet deploy can name; may be repeated.")
@click.option(
    "--signing-key", help="Key from `edgekit keys list` that signs its releases; without one it takes unsigned ones."
)
@output_options
def add(
    name: str,
    url: str,
    target: str | None,
    identity: Path | None,
    host_key: str | None,
    labels: tuple[str, ...],
    groups: tuple[str, ...],
    signing_key: str | None,
    as_json: bool,
    quiet: bool,
    verbose: bool,
) -> None:
    """Add a device: NAME and URL such as ssh://pi@raspberrypi.local."""
    from edgekit.flows.inventory import add_device

    output = Output(as_json=as_json, quiet=quiet, verbose=verbose)
    document = add_device(
        name,
        url,
        target=target,
        identity=identity,
        host_key=host_key,
        labels=labels,
        groups=groups,
        signing_key=signing_key,
    )

    def draw() -> None:
        click.echo(f"added {name}")
        if document["trust"] == "known_hosts" and not url.startswith("local:"):
            click.echo(f"its host key is looked up in known_hosts; to pin it: edgekit devices trust {name}")
        if document["unsigned"] and not url.startswith("local:"):
            click.echo(f"it takes unsigned releases (unsigned = true); else: edgekit keys install KEY --device {name}")

    output.show(document, draw)


@command.command()
@click.argument("name")
@output_options
def remove(name: str, as_json: bool, quiet: bool, verbose: bool) -> None:
    """Forget a device; nothing on it changes."""
    from edgekit.flows.inventory import remove_device

    document = remove_device(name)
    Output(as_json=as_json, quiet=quiet, verbose=verbose).show(document, lambda: click.echo(f"removed {name}"))


@command.command()
@click.argument("name")
@click.option("--fingerprint", help="SHA256:... as the device itself shows it (ssh-keygen -lf /etc/ssh/...pub).")
@click.option("--tofu", is_flag=True, help="Trust what it shows now, unseen; recorded as such.")
@output_options
def trust(name: str, fingerprint: str | None, tofu: bool, as_json: bool, quiet: bool, verbose: bool) -> None:
    """Pin a device's host key after comparing its fingerprint."""
    from edgekit.flows.inventory import trust_device

    document = trust_device(name, fingerprint=fingerprint, tofu=tofu)
    shown = f"{name} is trusted: {document['fingerprint']} ({document['trust']})"
    Output(as_json=as_json, quiet=quiet, verbose=verbose).show(document, lambda: click.echo(shown))


@command.command()
@click.argument("name")
@click.option(
    "--keep", default=3, type=click.IntRange(min=0), help="Latest releases that stay besides the active ones."
)
@click.option("--data", is_flag=True, help="Remove staged data sets and cut uploads too.")
@output_options
def collect(name: str, keep: int, data: bool, as_json: bool, quiet: bool, verbose: bool) -> None:
    """Remove old releases from a device."""
    from edgekit.core.units import format_bytes
    from edgekit.flows.inventory import collect_on

    document = collect_on(name, keep=keep, data=data)
    shown = f"removed {len(document['removed'])}, freed {format_bytes(document['freed_bytes'])}"
    Output(as_json=as_json, quiet=quiet, verbose=verbose).show(document, lambda: click.echo(shown))
