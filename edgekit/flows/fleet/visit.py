"""One attempt to deploy to one device of a fleet: look at it, activate, prove, and undo what does not hold."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace

from edgekit.core.device_entry import DeviceEntry
from edgekit.core.errors import DeviceError, EdgekitError, GateFailedError
from edgekit.core.events import Event
from edgekit.core.measurement import Evaluation, Measurement
from edgekit.core.verdict import Outcome, Verdict
from edgekit.device.client import DeviceClient
from edgekit.device.group_sealing import Presealed
from edgekit.device.sealing import seal_for
from edgekit.flows.budgets import judge_deployed
from edgekit.flows.deploy import Deployment, activate, prove
from edgekit.flows.fleet.faults import fault_of
from edgekit.flows.fleet.health import Health, health_of
from edgekit.flows.fleet.member import Fault, Phase
from edgekit.flows.fleet.order import Order, Release
from edgekit.flows.fleet.progress import DeviceEvent
from edgekit.flows.runtime import check_machine, ensure_runtime
from edgekit.flows.subject import Subject, from_bundle
from edgekit.flows.workspace import Workspace, workspace

_MESSAGES = {
    Phase.CONNECT: "connecting",
    Phase.CHECK: "looking at it",
    Phase.ACTIVATE: "activating",
    Phase.PROVE: "proving",
}


@dataclass(kw_only=True)
class Visit:
    """Attempts on one device, one after the other, and what is known of it by now.

    Attributes:
        order: what is to be done.
        entry: the device.
        release: what it gets.
        phase: the last one that began.
        was_reached, was_looked_at: whether it ever answered, and told what runs there.
        before: its active release when it was first looked at; None if there was none, or nobody looked.
        health: as it was last looked at.
        deployment, measurement, evaluation, verdicts: of the attempt that came so far.
        was_undone: the release was active and is not any more.
        token: of our lease of the device; None before the first one.
    """

    order: Order
    entry: DeviceEntry
    release: Release
    phase: Phase = Phase.CONNECT
    was_reached: bool = False
    was_looked_at: bool = False
    before: str | None = None
    health: Health | None = None
    deployment: Deployment | None = None
    measurement: Measurement | None = None
    evaluation: Evaluation | None = None
    verdicts: tuple[Verdict, ...] = ()
    was_undone: bool = False
    token: int | None = None

    def make(self) -> None:
        """Try once.

        Raises:
            EdgekitError: of any kind; `phase` tells how far it came.
        """
        with workspace(self._hear) as tools:
            subject = from_bundle(self.release.bundle, tools)
            self._enter(Phase.CONNECT)
            with self.order.connect(self.entry) as device:
                self.was_reached = True
                try:
                    self._work_on(device, subject, tools)
                except EdgekitError:
                    self.give_back(device)
                    raise
                if not self._is_on_trial:
                    self.give_back(device)
            if self._is_on_trial:
                self._confirm()

    def give_back(self, device: DeviceClient) -> None:
        """End our lease; if the device does not hear of it any more, it ends by itself."""
        device.token = self.token
        with suppress(EdgekitError):
            device.release_lease()
            self.token = None

    def _work_on(self, device: DeviceClient, subject: Subject, tools: Workspace) -> None:
        self._enter(Phase.CHECK)
        self._lease(device)
        if envelopes := self.order.envelopes.get(self.entry.name):
            device.seal_with(Presealed(self.entry, envelopes, own=seal_for(self.entry)))
        check_machine(device, self.release.target, self.entry.name)
        self._check_health(device)
        ensure_runtime(device, self.release.bundle.manifest.runtime, offline=self.order.offline, tools=tools)
        self._enter(Phase.ACTIVATE)
        self.deployment = activate(device, self.entry, self.release.bundle, tools, self.order.terms)
        self._enter(Phase.PROVE)
        self._lease(device)
        try:
            self._prove(device, subject, tools)
        except EdgekitError as error:
            if fault_of(error, Phase.PROVE) is Fault.RELEASE:
                self._undo(device, error.message)
            raise

    def _enter(self, phase: Phase) -> None:
        self.phase = phase
        self._hear(Event(phase=str(phase), message=_MESSAGES[phase]))

    def _hear(self, event: Event) -> None:
        told = {name: getattr(event, name) for name in ("phase", "message", "done", "total")}
        self.order.on_event(DeviceEvent(device=self.entry.name, **told))

    def _check_health(self, device: DeviceClient) -> None:
        status = device.status()
        if not self.was_looked_at:
            self.was_looked_at, self.before = True, status.active
        self.health = health_of(status, device.probe([]).conditions, time.time_ns())
        if self.health.unwell:
            raise DeviceError(
                f"{self.entry.name} is not well: {'; '.join(self.health.unwell)}",
                hint=f"edgekit doctor --device {self.entry.name}",
            )

    def _prove(self, device: DeviceClient, subject: Subject, tools: Workspace) -> None:
        proof, target, manifest = self.order.proof, self.release.target, self.release.bundle.manifest
        if target.board is not None:  # an emulator's times say nothing
            proof = replace(proof, plan=None)
        if proof.max_drop is None:
            proof = replace(proof, max_drop=target.budgets.accuracy_drop)
        self.measurement, self.evaluation = prove(device, self.entry, subject, proof, self.release.reference, tools)
        assert manifest.model is not None
        judged = judge_deployed(
            target.budgets,
            size_bytes=manifest.files[manifest.model].size,
            host=self.release.host,
            measurement=self.measurement,
            evaluation=self.evaluation,
        )
        self.verdicts = (*judged, *self._least_accuracy())
        for verdict in self.verdicts:
            if verdict.outcome is Outcome.FAIL:
                raise GateFailedError(
                    f"{verdict.metric} on {self.entry.name} is {verdict.value:g}, the limit is {verdict.limit:g}: "
                    f"{verdict.reason}",
                    hint="the release before is active there again",
                )

    def _least_accuracy(self) -> Iterator[Verdict]:
        limit = self.order.min_accuracy
        if limit is None:
            return
        found = (self.evaluation.score or self.evaluation.accuracy) if self.evaluation else None
        outcome = Outcome.INCONCLUSIVE if found is None else Outcome.PASS if found.value >= limit else Outcome.FAIL
        reason = "no labelled evaluation set" if found is None else "at least so much is asked for"
        value = None if found is None else found.value
        yield Verdict(metric="accuracy", value=value, limit=limit, outcome=outcome, reason=reason)

    def _lease(self, device: DeviceClient) -> None:
        """Have the device for ourselves until the end, also when the connection breaks: our token outlives it."""
        device.token = self.token
        self.token = device.lease(self.order.owner, ttl_s=self.order.lease_s).token

    @property
    def _is_on_trial(self) -> bool:
        return self.deployment is not None and self.deployment.confirmed is False

    def _confirm(self) -> None:
        """Over a new connection: who can still reach the device so can reach it again."""
        with self.order.connect(self.entry) as device:
            device.token = self.token
            device.confirm(self.release.bundle.digest)
            self.give_back(device)

    def _undo(self, device: DeviceClient, reason: str) -> None:
        """Make what ran before active again; a device that had nothing before keeps the release, unless on trial."""
        if self._is_on_trial:
            device.refuse(self.release.bundle.digest, reason)
        elif self.before is not None and self.before != self.release.bundle.digest:
            device.rollback(self.before)
        else:
            return
        self.was_undone = True
