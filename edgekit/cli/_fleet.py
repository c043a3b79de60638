"""edgekit deploy --group, --label: the same release to many devices, in waves."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from edgekit.cli._options import envelope_of, signed_by
from edgekit.cli._output import Output
from edgekit.cli._plan import plan_from
from edgekit.cli._rate import limited
from edgekit.cli._settings import Chosen, Finite, choose
from edgekit.cli._terms import terms_from
from edgekit.core.errors import UsageError

if TYPE_CHECKING:
    from edgekit.bundle.statement import SignedRelease
    from edgekit.core.device_entry import DeviceEntry
    from edgekit.core.events import OnEvent
    from edgekit.core.target import Target
    from edgekit.flows.deploy import Proof
    from edgekit.flows.fleet.executor import Executor
    from edgekit.flows.fleet.fleet import FleetRequest
    from edgekit.flows.fleet.order import Release

F = TypeVar("F", bound=Callable[..., Any])

WAVES, MAX_FAILURES, PARALLEL = "1,10%,50%,100%", "5%", 8
_ONLY_OF_FLEETS = ("canary", "max_failures", "parallel", "resume", "ray", "min_accuracy", "max_latency")


def fleet_options(function: F) -> F:
    """Which devices, in which waves, and what stops them."""
    for decorate in (
        click.option("--group", multiple=True, help="Deploy to the devices of this group; may be repeated."),
        click.option("--label", multiple=True, help="Deploy to devices with this label; repeated: with all of them."),
        click.option("--canary", metavar="WAVES", help=f"Waves of a fleet, {WAVES} if not given."),
        click.option(
            "--max-failures",
            metavar="N|N%",
            help="Stop when the release has failed on more devices than this, of those up to the end of the wave; "
            f"{MAX_FAILURES} if not given. The first of several waves allows none.",
        ),
        click.option("--parallel", type=click.IntRange(1, 1000), help=f"Devices at once, {PARALLEL} if not given."),
        click.option("--resume", is_flag=True, help="Go on with a rollout that was cut off."),
        click.option("--ray", metavar="ADDRESS", help="Deploy from the machines of this Ray cluster, or local."),
        click.option(
            "--min-accuracy", type=Finite(0, 1), help="Roll a device back whose own accuracy (or --metric) is less."
        ),
        click.option(
            "--max-latency", metavar="TIME", help="Roll a device back whose 90th percentile is longer, e.g. 20ms."
        ),
    ):
        function = decorate(function)
    return function


def is_fleet(flags: dict[str, Any]) -> bool:
    """Whether the flags name a fleet.

    Raises:
        UsageError: they do not, but others say how to deploy to one.
    """
    if flags["group"] or flags["label"]:
        return True
    for name in _ONLY_OF_FLEETS:
        if flags[name] not in (None, False):
            raise UsageError(
                f"--{name.replace('_', '-')} is for several devices", hint="name them with --group or --label"
            )
    return False


def deploy_to_fleet(
    model: Path | None,
    *,
    target: str | None,
    device: str | None,
    recipe: str | None,
    config: Path | None,
    dry_run: bool,
    console: Output,
    flags: dict[str, Any],
) -> int:
    """Deploy to every device that the flags name; 0 if all run the release, else 13."""
    from edgekit.flows.fleet.fleet import deploy_fleet, exit_code, plan_fleet
    from edgekit.flows.record import keep_run

    if device is not None:
        raise UsageError("--device names one device, --group and --label a fleet", hint="leave one of them out")
    chosen = choose(config, target=target, recipe=recipe)
    entries = [limited(signed_by(entry, flags["sign_key"]), flags["limit_rate"]) for entry in _entries(chosen, flags)]
    with keep_run() as run, _listening(console) as on_event:
        proof, releases = _releases(model, chosen, entries, recipe, config, flags, on_event)
        envelopes = _envelopes(entries, releases, flags)
        if envelopes:  # they count, and no key
            entries = [replace(entry, signing_key=None) for entry in entries]
        request = _request(entries, proof, releases, flags, _members(chosen, flags), envelopes)
        if dry_run:
            document = run.keep(plan_fleet(request))
        else:
            with _executor(flags) as executor:
                document = run.keep(deploy_fleet(request, executor, on_event=on_event))

    def draw() -> None:
        from edgekit.cli import _render_fleet

        _render_fleet.fleet(document)

    console.show(document, draw)
    if dry_run:
        console.note("dry run: no device was touched")
        return 0
    if document["reason"]:
        console.note(f"stopped: {document['reason']}")
    return exit_code(document)


def _entries(chosen: Chosen, flags: dict[str, Any]) -> list[DeviceEntry]:
    """The devices, each with a target: its own, else the one of flag, environment or project."""
    from edgekit.device.inventory import Inventory

    found = Inventory.find(chosen.project_dir).select(labels=flags["label"], groups=flags["group"])
    entries = [replace(entry, target=entry.target or chosen.settings.target) for entry in found]
    for entry in entries:
        if entry.target is None:
            raise UsageError(f"{entry.name} has no target", hint=f"add target = ... to {entry.name} in devices.toml")
    return entries


def _members(chosen: Chosen, flags: dict[str, Any]) -> dict[str, list[str]]:
    """Names of all devices in the groups that were chosen, also of those that the labels leave out."""
    from edgekit.device.inventory import Inventory

    known = Inventory.find(chosen.project_dir).entries().values()
    return {group: [entry.name for entry in known if group in entry.groups] for group in flags["group"]}


def _envelopes(
    entries: list[DeviceEntry], releases: Mapping[str, Release], flags: dict[str, Any]
) -> dict[str, tuple[SignedRelease, ...]]:
    """What --envelope names, for each of the devices; it has to be for a group that all of them are in.

    Raises:
        UsageError, VerificationError: it is not, or it is for another bundle.
    """
    from edgekit.device.group_sealing import require_bundle

    signed = envelope_of(flags)
    if signed is None:
        return {}
    if len(releases) != 1:
        raise UsageError("--envelope is for one bundle, the fleet has several kinds of device", hint="give the bundle")
    (release,) = releases.values()
    require_bundle(signed, release.bundle.digest)
    for entry in entries:
        if signed.audience.kind != "group" or signed.audience.name not in entry.groups:
            raise UsageError(
                f"the envelope is for {signed.audience}, and {entry.name} is not in it",
                hint="sign for the group: edgekit keys sign BUNDLE --key KEY --group NAME",
            )
    return {entry.name: (signed,) for entry in entries}


def _releases(
    model: Path | None,
    chosen: Chosen,
    entries: list[DeviceEntry],
    recipe: str | None,
    config: Path | None,
    flags: dict[str, Any],
    on_event: OnEvent,
) -> tuple[Proof, dict[str, Release]]:
    """What is proven, and one release for each kind of device: compiled, or the bundle that was given."""
    from edgekit.bundle.pack import Bundle, is_bundle
    from edgekit.flows.fleet.fleet import compiled_release
    from edgekit.flows.fleet.order import Release

    named = chosen.model(model, flags["weights"])
    if isinstance(named, Path) and is_bundle(named):
        kind = chosen.bundle_target(named, recipe, flags)
        release = Release(bundle=Bundle.open(named), target=_held(kind, flags))
        return _proof(chosen, flags), {kind.name: release}
    is_chosen = chosen.settings.origins.get("target") == "flag"
    kinds = [chosen.settings.target] if is_chosen else sorted({str(entry.target) for entry in entries})
    if flags["output"] is not None and len(kinds) > 1:
        raise UsageError(f"--output names one bundle, the fleet has {len(kinds)} kinds of device", hint="leave it out")
    releases = {}
    for name in kinds:
        one = choose(config, target=name, recipe=recipe)
        request = one.compile_request(model, _held(one.target(), flags), flags)
        releases[request.target.name] = compiled_release(request, on_event)
    return replace(_proof(chosen, flags), inputs=request.calibration), releases


def _held(kind: Target, flags: dict[str, Any]) -> Target:
    """The target with the limit of --max-latency."""
    from edgekit.core.units import parse_duration_ns

    if flags["max_latency"] is None:
        return kind
    if flags["no_profile"]:
        raise UsageError("--max-latency needs the measurement that --no-profile leaves out", hint="leave one out")
    return replace(kind, budgets=replace(kind.budgets, latency_p90_ns=parse_duration_ns(flags["max_latency"])))


def _proof(chosen: Chosen, flags: dict[str, Any]) -> Proof:
    from edgekit.flows.deploy import Proof

    evaluation, metric = chosen.evaluation(flags), chosen.metric(flags)
    if flags["min_accuracy"] is not None and (evaluation is None or not metric.is_share):
        raise UsageError("--min-accuracy needs labelled data and a metric from 0 to 1", hint="give --eval-data DATA")
    return Proof(
        plan=None if flags["no_profile"] else plan_from(flags),
        evaluation=evaluation,
        timeout_s=flags["timeout"],
        metric=metric,
        max_drop=flags["max_drop"],
        confidence=flags["confidence"],
    )


def _request(
    entries: list[DeviceEntry],
    proof: Proof,
    releases: dict[str, Release],
    flags: dict[str, Any],
    groups: Mapping[str, list[str]],
    envelopes: Mapping[str, tuple[SignedRelease, ...]],
) -> FleetRequest:
    from edgekit.flows.fleet.fleet import FleetRequest
    from edgekit.flows.fleet.order import Order
    from edgekit.flows.fleet.rollout import Rules
    from edgekit.flows.fleet.waves import Amount, parse_waves

    words = [f"group {name}" for name in flags["group"]] + [f"label {name}" for name in flags["label"]]
    return FleetRequest(
        entries=entries,
        order=Order(
            releases=releases,
            proof=proof,
            min_accuracy=flags["min_accuracy"],
            terms=terms_from(flags),
            envelopes=envelopes,
            offline=flags["offline"],
        ),
        rules=Rules(
            waves=parse_waves(flags["canary"] or WAVES),
            max_failures=Amount.parse(flags["max_failures"] or MAX_FAILURES, "--max-failures"),
        ),
        resume=flags["resume"],
        groups=groups,
        chosen_by=", ".join(words),
    )


@contextmanager
def _executor(flags: dict[str, Any]) -> Iterator[Executor]:
    parallel = flags["parallel"] or PARALLEL
    if flags["ray"] is None:
        from edgekit.flows.fleet.executor import Threads

        yield Threads(parallel=parallel)
        return
    from edgekit.flows.fleet.ray_executor import on_ray

    with on_ray(flags["ray"], parallel=parallel) as executor:
        yield executor


@contextmanager
def _listening(console: Output) -> Iterator[OnEvent]:
    """Lines with --verbose, a live table on a terminal, else nothing."""
    if not console.has_live_progress:
        with console.progress() as on_event:
            yield on_event
        return
    from edgekit.cli._render_fleet import live_table

    with live_table() as on_event:
        yield on_event
