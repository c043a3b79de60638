"""A deploy to a fleet: which devices, what is known of them, the rollout, and the document of it."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from edgekit.core.device_entry import DeviceEntry
from edgekit.core.errors import PartialFleetError
from edgekit.core.events import Event, OnEvent, ignore
from edgekit.device.sealing import require_signature
from edgekit.flows import localhost
from edgekit.flows.compile import compile_model
from edgekit.flows.deploy import check_proof, require_budgets
from edgekit.flows.fleet.document import COMPLETE, PLANNED, fleet_document
from edgekit.flows.fleet.executor import Executor
from edgekit.flows.fleet.faults import Retries
from edgekit.flows.fleet.history import DEVICES, Histories, HistoryEvent, Kind, state_folder
from edgekit.flows.fleet.journal import Journal
from edgekit.flows.fleet.member import Fault, Member, Phase, State
from edgekit.flows.fleet.order import Order, Release
from edgekit.flows.fleet.progress import DeviceEvent, one_at_a_time
from edgekit.flows.fleet.rollout import Rolled, Rules, roll_out
from edgekit.flows.fleet.signing import envelopes_for_groups
from edgekit.flows.fleet.waves import divided, ordered
from edgekit.flows.fleet.work import MemberWork
from edgekit.flows.localhost import host_runner
from edgekit.flows.measured_document import profile_document
from edgekit.flows.record import Run
from edgekit.flows.request import CompileRequest
from edgekit.flows.samples import model_inputs
from edgekit.flows.subject import from_bundle
from edgekit.flows.workspace import workspace

RESUMED = "done before the rollout was cut off"


@dataclass(frozen=True, kw_only=True)
class FleetRequest:
    """A release for a fleet.

    Attributes:
        entries: the devices, each with a target.
        order: what each gets.
        rules: waves, and when to stop.
        retries: how often an attempt is repeated.
        resume: leave out devices that an interrupted rollout of the same release to the same devices has finished.
        groups: names of all members, by the groups that were chosen: what is signed for one of them is signed once.
        chosen_by: the words by which the devices were chosen, for people.
        pause: waits between two attempts.
        now_s: seconds since 1970, for the devices' histories.
        state: folder of histories and journals.
    """

    entries: Sequence[DeviceEntry]
    order: Order
    rules: Rules
    retries: Retries = field(default_factory=Retries)
    resume: bool = False
    groups: Mapping[str, Sequence[str]] = field(default_factory=dict)
    chosen_by: str = ""
    pause: Callable[[float], None] = time.sleep
    now_s: Callable[[], float] = time.time
    state: Path = field(default_factory=state_folder)

    @property
    def histories(self) -> Histories:
        """Of all devices."""
        return Histories(folder=self.state / DEVICES)


def compiled_release(request: CompileRequest, on_event: OnEvent = ignore) -> Release:
    """Compile for one kind of device.

    Raises:
        GateFailedError: a budget is exceeded that can be known before a device is touched.
        EdgekitError: as `compile_model`.
    """
    compilation = compile_model(request, on_event)
    require_budgets(compilation)
    return Release(
        bundle=compilation.bundle,
        target=request.target,
        reference=compilation.judged_float,
        host=compilation.score_artifact or compilation.accuracy_artifact,
    )


def deploy_fleet(request: FleetRequest, executor: Executor, *, on_event: OnEvent = ignore) -> dict[str, Any]:
    """Deploy to a fleet; whatever happens to single devices is in the document.

    Args:
        request: what, where and how.
        executor: carries it out on several devices at once.
        on_event: listener.

    Returns:
        A document of schema edgekit.fleet/1.

    Raises:
        InputError: the data of the proof does not fit the model; no device was touched.
        LockedError: the same rollout is going on already.
        ConfigurationError: nobody said whether the releases for a device are signed, or the key is not there.
    """
    listen = one_at_a_time(on_event)
    entries = ordered(request.entries)
    releases = {name: release.bundle.digest for name, release in request.order.releases.items()}
    journal = Journal.of(releases, [entry.name for entry in entries], request.state / "fleets")
    histories, owner = request.histories, f"fleet deploy {journal.name}"
    started = time.monotonic()
    with journal.held():
        done = journal.finished() if request.resume else {}
        settled = [_settled(entry, request, done) for entry in entries]
        _prepare(request, listen)
        touched = [entry for entry, member in zip(entries, settled, strict=True) if member is None]
        envelopes = envelopes_for_groups(touched, request.order, request.groups, on_event=listen)
        journal.begin(done.values())

        def conclude(member: Member) -> Member:
            member = _noted(_kept(member), histories, request.now_s())
            journal.add(member)
            listen(DeviceEvent(phase="done", message=_sentence(member), device=member.device, state=member.state))
            return member

        def begin(number: int, of: int, batch: Sequence[DeviceEntry]) -> None:
            listen(Event(phase="wave", message=f"wave {number} of {of}: {len(batch)} devices", done=number, total=of))

        rolled = roll_out(
            entries,
            MemberWork(
                order=replace(request.order, envelopes=envelopes, on_event=listen, owner=owner),
                retries=request.retries,
                pause=request.pause,
            ),
            executor,
            request.rules,
            settled=[member for member in settled if member is not None],
            on_wave=begin,
            on_member=conclude,
        )
    return _document(request, entries, rolled, settled, name=journal.name, seconds=time.monotonic() - started)


def plan_fleet(request: FleetRequest) -> dict[str, Any]:
    """The same document before anything is done: which devices are in which wave, and which would be left out."""
    entries = ordered(request.entries)
    settled = [_settled(entry, request, {}) for entry in entries]
    members = [
        member or Member(device=entry.name, target=entry.target, state=State.SKIPPED, reason="dry run")
        for entry, member in zip(entries, settled, strict=True)
    ]
    rolled = Rolled(members=tuple(sorted(members, key=lambda one: one.device)), waves=(), stopped="dry run")
    document = _document(request, entries, rolled, settled, name="", seconds=0.0)
    return {**document, "outcome": PLANNED, "reason": None}


def exit_code(document: dict[str, Any]) -> int:
    """0 if every device runs the release and nothing speaks against it, else 13."""
    return 0 if document["outcome"] == COMPLETE else PartialFleetError.exit_code


def _document(
    request: FleetRequest,
    entries: Sequence[DeviceEntry],
    rolled: Rolled,
    settled: Sequence[Member | None],
    *,
    name: str,
    seconds: float,
) -> dict[str, Any]:
    aside = {member.device for member in settled if member is not None and member.state is not State.NEW}
    in_waves = [entry for entry in entries if entry.name not in aside]
    return fleet_document(
        rolled,
        request.rules,
        request.order.releases,
        name=name,
        chosen_by=request.chosen_by,
        planned=[[entry.name for entry in wave] for wave in divided(in_waves, request.rules.waves)],
        seconds=seconds,
    )


def _settled(entry: DeviceEntry, request: FleetRequest, done: dict[str, Member]) -> Member | None:
    """The state of a device that is not to be touched; None for the others."""
    if entry.name in done:
        return replace(done[entry.name], reason=RESUMED)
    aside = Member(device=entry.name, target=entry.target, state=State.SKIPPED)
    if entry.target not in request.order.releases:
        kinds = ", ".join(request.order.releases)
        return replace(aside, reason=f"the release is for {kinds}, this device is {entry.target}")
    because = request.histories.fenced(entry.name, request.now_s())
    return None if because is None else replace(aside, state=State.QUARANTINED, reason=because)


def _prepare(request: FleetRequest, on_event: OnEvent) -> None:
    """Refuse what would be refused on every device, and compute this computer's own answers once for all of them."""
    order = request.order
    for entry in request.entries:
        if entry.name not in order.envelopes:
            require_signature(entry)
    for release in order.releases.values():
        with workspace(on_event) as tools:
            subject = from_bundle(release.bundle, tools)
            check_proof(subject, order.proof)
            if order.proof.evaluation is not None:
                inputs = model_inputs(order.proof.evaluation, subject.inputs)
                localhost.outputs(subject.artifact(), inputs, runtime=host_runner(subject.runtime), tools=tools)


def _kept(member: Member) -> Member:
    """Store the raw samples of its measurement."""
    if member.measurement is None:
        return member
    run = Run(command=["edgekit", *sys.argv[1:]])
    return replace(member, run_id=run.keep(profile_document(member.measurement), member.measurement)["run_id"])


def _noted(member: Member, histories: Histories, now_s: float) -> Member:
    """Add to the device's history, which may fence it off."""
    if not member.attempts:
        return member
    because = histories.note(member.device, happened(member, now_s), now_s)
    if because is None:
        return member
    if member.state in (State.OLD, State.UNREACHABLE):
        return replace(member, state=State.QUARANTINED, reason=f"{because} (it was {member.state})")
    return replace(member, remarks=(*member.remarks, f"quarantined from now on: {because}"))


def happened(member: Member, now_s: float) -> list[HistoryEvent]:
    """What a device's history keeps of a rollout.

    Each time that a connection broke counts; a device that did not answer at all counts once, however often it was
    tried: one that is switched off is not flaky.
    """
    errors = [attempt for attempt in member.attempts if attempt.fault is Fault.INFRASTRUCTURE]
    broken = [attempt for attempt in errors if attempt.phase is not Phase.CONNECT]
    silent = [attempt for attempt in errors if attempt.phase is Phase.CONNECT][:1]
    events = [
        HistoryEvent(utc_s=now_s, kind=Kind.ERROR, message=attempt.message or "") for attempt in (*silent, *broken)
    ]
    if member.unwell:
        events.append(HistoryEvent(utc_s=now_s, kind=Kind.UNWELL, message="; ".join(member.unwell)))
    elif any(attempt.phase is not Phase.CONNECT for attempt in member.attempts):
        events.append(HistoryEvent(utc_s=now_s, kind=Kind.WELL, message=""))
    return events


def _sentence(member: Member) -> str:
    return f"{member.device}: {member.state}" + (f", {member.reason}" if member.reason else "")
