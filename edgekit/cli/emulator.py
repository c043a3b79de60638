"""edgekit emulator: emulated devices."""

from __future__ import annotations

import click

from edgekit.cli._output import Output, output_options
from edgekit.cli._settings import choose


@click.group(name="emulator")
def command() -> None:
    """Bring emulated devices up and down."""


@command.command()
@click.argument("target")
@click.option("--backend", help="user, system or loopback; the best that works here unless named.")
@click.option("--name", help="Name of the device; the target's unless named.")
@click.option("--disk-mib", type=click.IntRange(min=16), help="Size of its disk in MiB.")
@output_options
def up(
    target: str,
    backend: str | None,
    name: str | None,
    disk_mib: int | None,
    as_json: bool,
    quiet: bool,
    verbose: bool,
) -> None:
    """Bring up an emulated TARGET and put it into the inventory with its pinned key."""
    from edgekit.config.targets import load_target
    from edgekit.flows.emulator import bring_up, emulated_device_document

    output = Output(as_json=as_json, quiet=quiet, verbose=verbose)
    with output.progress() as on_event:
        device, reason = bring_up(
            load_target(target, project_dir=choose(None).project_dir),
            backend=backend,
            name=name,
            disk_bytes=None if disk_mib is None else disk_mib << 20,
            on_event=on_event,
        )
    document = {"schema": "edgekit.emulator/1", "reason": reason, **emulated_device_document(device)}

    def draw() -> None:
        click.echo(f"{device.name} is up at {device.url}, backend {reason}")
        click.echo(f"note: {device.note}")

    output.show(document, draw)


@command.command()
@click.argument("name")
@output_options
def down(name: str, as_json: bool, quiet: bool, verbose: bool) -> None:
    """Stop an emulated device, remove everything it held, and forget it."""
    from edgekit.flows.emulator import take_down

    take_down(name)
    document = {"schema": "edgekit.emulator/1", "name": name, "running": False}
    Output(as_json=as_json, quiet=quiet, verbose=verbose).show(document, lambda: click.echo(f"{name} is down"))


@command.command("list")
@output_options
def list_(as_json: bool, quiet: bool, verbose: bool) -> None:
    """List emulated devices."""
    from edgekit.flows.emulator import emulated_devices

    devices = emulated_devices()

    def draw() -> None:
        from edgekit.cli import _render

        rows = [(d["name"], d["target"], d["backend"], "running" if d["running"] else "off", d["url"]) for d in devices]
        _render.table("", ("device", "target", "backend", "", "url"), rows)

    Output(as_json=as_json, quiet=quiet, verbose=verbose).show(
        {"schema": "edgekit.emulators/1", "devices": devices}, draw
    )
