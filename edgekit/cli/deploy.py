"""edgekit deploy: compile, push, activate, and prove it on the device."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from edgekit.cli._fleet import deploy_to_fleet, fleet_options, is_fleet
from edgekit.cli._from_search import from_search_options, held_to_budget, picked_from, tell
from edgekit.cli._options import (
    envelope_of,
    envelope_option,
    model_argument,
    offline_option,
    sign_option,
    signed_by,
    weights_option,
    with_output,
)
from edgekit.cli._output import Output, gate
from edgekit.cli._plan import plan_from, plan_options
from edgekit.cli._rate import limited, rate_option
from edgekit.cli._settings import (
    choose,
    compile_options,
    data_options,
    device_option,
    metric_option,
    project_options,
    target_options,
)
from edgekit.cli._terms import terms_from, terms_options


@click.command()
@model_argument
@weights_option
@target_options
@device_option
@compile_options
@data_options
@metric_option
@plan_options
@offline_option
@sign_option
@envelope_option
@rate_option
@click.option("--dry-run", is_flag=True, help="Compile and show what would be done; touch no device.")
@click.option("--no-profile", is_flag=True, help="Do not measure latency and memory.")
@from_search_options
@fleet_options
@terms_options
@project_options
@with_output
def command(
    model: Path | None,
    target: str | None,
    device: str | None,
    recipe: str | None,
    config: Path | None,
    offline: bool,
    dry_run: bool,
    no_profile: bool,
    console: Output,
    **flags: Any,
) -> int:
    """Compile MODEL, deploy it, and measure it on the device.

    MODEL is a model as for `edgekit compile`, or a bundle. The activation is atomic: whatever happens, the device runs
    the old release or the new one. Without --device the only device of the target is taken.
    With --group or --label it goes to a fleet, in waves (docs/guide/fleet.md). With --from-search STUDY a point of a
    search is deployed, as it was measured there.
    """
    picked = picked_from(model, flags)
    if picked is not None:
        model, target = picked.bundle, target or picked.target
    if is_fleet(flags):
        return deploy_to_fleet(
            model,
            target=target,
            device=device,
            recipe=recipe,
            config=config,
            dry_run=dry_run,
            console=console,
            flags={**flags, "offline": offline, "no_profile": no_profile},
        )
    from edgekit.bundle.pack import Bundle, is_bundle
    from edgekit.core.units import format_bytes
    from edgekit.flows.compile import compile_model
    from edgekit.flows.deploy import Proof, deploy_bundle, deploy_model
    from edgekit.flows.documents import compilation_document, deployed_document
    from edgekit.flows.record import keep_run

    envelope = envelope_of(flags)
    chosen = choose(config, target=target, device=device, recipe=recipe)
    entry = None if dry_run else limited(signed_by(chosen.device(), flags["sign_key"]), flags["limit_rate"])
    named = chosen.model(model, flags["weights"])
    bundle_path = named if isinstance(named, Path) and is_bundle(named) else None
    kind = chosen.target(device=entry) if bundle_path is None else chosen.bundle_target(bundle_path, recipe, flags)
    if envelope is not None and bundle_path is None:
        raise click.UsageError("--envelope is for the bundle that was signed; give that in the place of MODEL")
    plan = None if no_profile else plan_from(flags)
    terms = terms_from(flags)
    with keep_run() as run, console.progress() as on_event:
        if bundle_path is not None:
            bundle = Bundle.open(bundle_path)
            if entry is None:
                raise click.UsageError("--dry-run needs a model to compile; a bundle is compiled already")
            proof = Proof(
                plan=plan,
                evaluation=chosen.evaluation(flags),
                timeout_s=flags["timeout"],
                metric=chosen.metric(flags),
            )
            kind, proof, reference = held_to_budget(picked, kind, proof, on_event)
            deployed = deploy_bundle(
                bundle,
                entry,
                kind,
                proof=proof,
                reference=reference,
                terms=terms,
                envelope=envelope,
                offline=offline,
                on_event=on_event,
            )
            document = run.keep(deployed_document(deployed), deployed.measurement)
        else:
            request = chosen.compile_request(model, kind, flags)
            if entry is None:
                document = compilation_document(compile_model(request, on_event))
            else:
                proof = Proof(
                    plan=plan,
                    evaluation=request.evaluation,
                    inputs=request.calibration,
                    timeout_s=flags["timeout"],
                    metric=request.metric,
                )
                deployed = deploy_model(request, entry, proof=proof, terms=terms, offline=offline, on_event=on_event)
                document = run.keep(deployed_document(deployed), deployed.measurement)

    def draw() -> None:
        from edgekit.cli import _render

        _render.run_summary(document)
        _render.steps(document)
        _render.kept(document)
        _render.on_target(document)
        if entry is None:
            click.echo("dry run: no device was touched")
        else:
            deployment = document["deployment"]
            tell(picked)
            sent, lacked = (format_bytes(deployment[name]) for name in ("transferred_bytes", "bytes_sent"))
            click.echo(f"sent    {sent}" + (f" for {lacked}" if sent != lacked else ""))
            confirmed = ", confirmed" if deployment["confirmed"] else ""
            click.echo(f"active  {deployment['active'][:12]} on {entry.name}{confirmed}")

    console.show(document, draw)
    return gate(document)
