"""edgekit emulator: emulated devices."""

from __future__ import annotations

import click

from edgekit.cli._options import with_output
from edgekit.cli._output import Output
from edgekit.cli._settings import choose


@click.group(name="emulator")
def command() -> None:
    """Bring emulated devices up and down."""


@command.command()
@click.argument("target")
@click.option("--backend", help="user, system or loopback; the best that works here unless named.")
@click.option("--name", help="Name of the device; the target's unless named.")
@click.option("--disk-mib", type=click.IntRange(min=16), help="Size of its disk in MiB.")
@with_output
def up(
    target: str,
    backend: str | None,
    name: str | None,
    disk_mib: int | None,
    console: Output,
) -> None:
    """Bring up an emulated TARGET and put it into the inventory with its pinned key."""
    from edgekit.config.targets import load_target
    from edgekit.flows.emulator import bring_up, emulated_device_document

    with console.progress() as on_event:
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

    console.show(document, draw)


@command.command()
@click.argument("name")
@with_output
def down(name: str, console: Output) -> None:
    """Stop an emulated device, remove everything it held, and forget it."""
    from edgekit.flows.emulator import take_down

    take_down(name)
    document = {"schema": "edgekit.emulator/1", "name": name, "running": False}
    console.show(document, lambda: click.echo(f"{name} is down"))


@command.command("list")
@with_output
def list_(console: Output) -> None:
    """List emulated devices."""
    from edgekit.flows.emulator import emulated_devices

    devices = emulated_devices()

    def draw() -> None:
        from edgekit.cli import _render

        rows = [(d["name"], d["target"], d["backend"], "running" if d["running"] else "off", d["url"]) for d in devices]
        _render.table("", ("device", "target", "backend", "", "url"), rows)

    console.show({"schema": "edgekit.emulators/1", "devices": devices}, draw)


@command.command("prune")
@click.option("--dry-run", is_flag=True, help="Say what would be removed, and remove nothing.")
@with_output
def prune_(dry_run: bool, console: Output) -> None:
    """Remove cached system images that no emulated device needs; the next `up` makes them again.

    What a device lies on is kept, also while the device is off.
    """
    from edgekit.core.units import format_bytes
    from edgekit.flows.emulator import prune_images

    document = prune_images(dry_run=dry_run)

    def draw() -> None:
        for image in document["kept"]:
            users = ", ".join(image["used_by"]) or "a build that goes on"
            click.echo(f"kept     {image['image']}  {format_bytes(image['size_bytes'])}, used by {users}")
        for image in document["removed"]:
            click.echo(f"{'would go' if dry_run else 'removed '} {image['image']}  {format_bytes(image['size_bytes'])}")
        click.echo(f"{'to free' if dry_run else 'freed'}: {format_bytes(document['freed_bytes'])}")

    console.show(document, draw)
