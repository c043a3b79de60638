"""Deploy: compile, push, activate, and prove it on the device: latency, memory, accuracy, on the same bytes."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, replace

from edgekit.bundle.pack import Bundle
from edgekit.bundle.statement import SignedRelease
from edgekit.core.dataset import Dataset
from edgekit.core.device_entry import DeviceEntry
from edgekit.core.errors import DeviceError, GateFailedError
from edgekit.core.events import OnEvent, ignore
from edgekit.core.measurement import Evaluation, Measurement, Plan
from edgekit.core.metric import TOP_1, Metric
from edgekit.core.paired import CONFIDENCE
from edgekit.core.target import Target
from edgekit.core.units import format_bytes
from edgekit.core.verdict import Outcome, Verdict
from edgekit.data import check_against_model, check_labels
from edgekit.device.client import DeviceClient
from edgekit.device.connect import connect
from edgekit.device.control import Terms
from edgekit.device.group_sealing import Presealed, require_bundle, require_taken
from edgekit.device.machines import twins
from edgekit.device.sealing import require_signature
from edgekit.flows import confirmation
from edgekit.flows.bases import Bases
from edgekit.flows.budgets import judge_deployed
from edgekit.flows.compile import Compilation, compile_model
from edgekit.flows.evaluate import evaluate
from edgekit.flows.judging import Judged
from edgekit.flows.profile import measure
from edgekit.flows.request import CompileRequest
from edgekit.flows.runtime import check_board, check_machine, ensure_runtime
from edgekit.flows.scoring import check_metric, needs_evaluation
from edgekit.flows.subject import Subject, from_bundle
from edgekit.flows.workspace import Workspace, workspace


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """A release on a device.

    Attributes:
        device: the device's name.
        bundle_sha256: digest of the manifest that was asked for.
        active, previous: digests on the device afterwards.
        bytes_sent: bytes of files that the device lacked; 0 when it had everything.
        transferred_bytes: what travelled for them; less where they were compressed.
        unchanged: the release was active already.
        golden_max_abs_error: of the golden run on the device, in the output's own unit; None if it was not run.
        confirmed: whether the host has confirmed it; None when it was not on trial.
    """

    device: str
    bundle_sha256: str
    active: str | None
    previous: str | None
    bytes_sent: int
    transferred_bytes: int
    unchanged: bool
    golden_max_abs_error: float | None
    confirmed: bool | None = None


@dataclass(frozen=True, kw_only=True)
class Deployed:
    """Everything that a deploy did; parts that were not asked for are None."""

    compilation: Compilation | None
    bundle: Bundle
    deployment: Deployment
    measurement: Measurement | None
    evaluation: Evaluation | None
    verdicts: tuple[Verdict, ...]


@dataclass(frozen=True, kw_only=True)
class Proof:
    """What to prove on the device after the activation.

    Attributes:
        plan: how to measure; None skips it.
        evaluation: preprocessed samples with labels; None skips it.
        inputs: real inputs for the measurement; None takes the evaluation's, else random ones.
        timeout_s: limit for the loop over the evaluation set.
        metric: what answers are judged by.
        max_drop: how much worse than the float model the artifact may be; None takes one point for a metric of shares.
        confidence: how sure that has to be, one-sided.
    """

    plan: Plan | None
    evaluation: Dataset | None = None
    inputs: Dataset | None = None
    timeout_s: float = 3600.0
    metric: Metric = TOP_1
    max_drop: float | None = None
    confidence: float = CONFIDENCE


def deploy_model(
    request: CompileRequest,
    entry: DeviceEntry,
    *,
    proof: Proof,
    terms: Terms | None = None,
    offline: bool = False,
    on_event: OnEvent = ignore,
) -> Deployed:
    """Compile a model, then deploy its bundle.

    Raises:
        GateFailedError: a budget is exceeded that can be known before the device is touched.
        EdgekitError: as `compile_model` and `deploy_bundle`.
    """
    require_signature(entry)
    compilation = compile_model(request, on_event)
    require_budgets(compilation)
    max_drop = request.target.budgets.accuracy_drop if request.max_drop is None else request.max_drop
    deployed = deploy_bundle(
        compilation.bundle,
        entry,
        request.target,
        proof=replace(proof, max_drop=max_drop, confidence=request.confidence),
        reference=compilation.judged_float,
        terms=terms,
        offline=offline,
        on_event=on_event,
    )
    verdicts = judge_deployed(
        request.target.budgets,
        size_bytes=compilation.artifact.size_bytes,
        host=compilation.score_artifact or compilation.accuracy_artifact,
        measurement=deployed.measurement,
        evaluation=deployed.evaluation,
    )
    return replace(deployed, compilation=compilation, verdicts=verdicts)


def require_budgets(compilation: Compilation) -> None:
    """Refuse a model that breaks a budget before a device is touched.

    Raises:
        GateFailedError: it does.
    """
    for verdict in compilation.verdicts:
        if verdict.outcome is Outcome.FAIL:
            raise GateFailedError(
                f"{verdict.metric} is {verdict.value:g}, the budget is {verdict.limit:g}; nothing was deployed",
                hint="choose another recipe, or raise the budget",
                verdicts=[{**vars(one), "outcome": str(one.outcome)} for one in compilation.verdicts],
            )


def deploy_bundle(
    bundle: Bundle,
    entry: DeviceEntry,
    target: Target,
    *,
    proof: Proof,
    reference: Judged | None = None,
    terms: Terms | None = None,
    envelope: SignedRelease | None = None,
    offline: bool = False,
    on_event: OnEvent = ignore,
) -> Deployed:
    """Push a bundle to a device, activate it there, and prove it.

    Args:
        bundle: what to deploy.
        entry: where.
        target: the kind of machine that it was compiled for.
        proof: what to measure afterwards.
        reference: the float model on the proof's samples.
        terms: on what terms the device takes it; with a trial, this confirms it or has the device go back.
        envelope: what was signed elsewhere for this bundle; then no key is needed here. None signs with the key of the
            device's entry.
        offline: download no runtime.
        on_event: listener.

    Raises:
        UnsupportedError: the device is another machine, or its runtime is missing and cannot be provisioned.
        VerificationError, RolledBackError: the device refused the release, or it failed its trial; the old one is
            active.
        NetworkError: the connection broke; the old release or the new one is active, never half of one.
    """
    if envelope is None:
        require_signature(entry)
    else:
        require_bundle(envelope, bundle.digest)
    check_board(entry, target)
    if target.board is not None:  # an emulator's times say nothing; instructions were counted at the compilation
        proof = replace(proof, plan=None)
    with workspace(on_event) as tools:
        subject = from_bundle(bundle, tools)
        check_proof(subject, proof)
        tools.tell("connect", f"connecting to {entry.name}")
        with connect(entry) as device:
            check_machine(device, target, entry.name)
            if envelope is not None:
                require_taken(envelope, entry.name, device.status())  # before anything is uploaded
                device.seal_with(Presealed(entry, [envelope]))
            for warning in twins(entry, device.hello):
                tools.tell("warning", warning)
            ensure_runtime(device, bundle.manifest.runtime, offline=offline, tools=tools)
            deployment = activate(device, entry, bundle, tools, terms)
            on_trial = deployment.confirmed is not None
            with confirmation.or_back(device, entry, bundle.digest) if on_trial else nullcontext():
                measurement, evaluation = prove(device, entry, subject, proof, reference, tools)
                verdicts = _judged(bundle, target, measurement, evaluation)
                if on_trial:
                    confirmation.require(verdicts)
        if on_trial:
            confirmation.confirm(entry, bundle.digest, token=device.token, on_event=tools.on_event)
            deployment = replace(deployment, confirmed=True)
    return Deployed(
        compilation=None,
        bundle=bundle,
        deployment=deployment,
        measurement=measurement,
        evaluation=evaluation,
        verdicts=verdicts,
    )


def _judged(
    bundle: Bundle, target: Target, measurement: Measurement | None, evaluation: Evaluation | None
) -> tuple[Verdict, ...]:
    assert bundle.manifest.model is not None
    return judge_deployed(
        target.budgets,
        size_bytes=bundle.manifest.files[bundle.manifest.model].size,
        host=None,
        measurement=measurement,
        evaluation=evaluation,
    )


def activate(
    device: DeviceClient, entry: DeviceEntry, bundle: Bundle, tools: Workspace, terms: Terms | None = None
) -> Deployment:
    """Push what the device lacks of a bundle, and make it the active release; signed where the device has a key."""
    if not device.is_sealed:
        require_signature(entry)
    manifest = bundle.manifest
    staged, bases = [], Bases(device, manifest)
    for name, file in sorted(manifest.files.items()):
        tools.tell("upload", f"{name} ({format_bytes(file.size)})")
        data, base = bundle.read(name), bases.of(name)
        staged.append(device.stage(data, sha256=file.sha256, base=base, on_event=tools.on_event))
    tools.tell("activate", f"activating {bundle.digest[:12]} on {entry.name}")
    activation = device.activate(manifest.text(), terms=terms, on_event=tools.on_event)
    found = device.status()  # what the device says of itself now, not what it said of its own work
    if found.active != bundle.digest:
        raise DeviceError(
            f"{entry.name} reported success, but {found.active or 'nothing'} is active there",
            hint="look at its disk: edgekit doctor --device NAME",
        )
    bases.keep(bundle)
    return Deployment(
        device=entry.name,
        bundle_sha256=bundle.digest,
        active=found.active,
        previous=found.previous,
        bytes_sent=sum(file.sent_bytes for file in staged),
        transferred_bytes=sum(file.transferred_bytes for file in staged),
        unchanged=activation.unchanged,
        golden_max_abs_error=activation.golden.max_abs_error if activation.golden else None,
        confirmed=None if activation.confirm_left_s is None else False,
    )


def check_proof(subject: Subject, proof: Proof) -> None:
    """What the proof needs has to fit before the device is touched."""
    if proof.evaluation is None and not proof.metric.is_top_1:
        raise needs_evaluation(proof.metric)
    for data in (proof.evaluation, proof.inputs):
        if data is not None:
            check_against_model(data, subject.inputs)
    if proof.evaluation is not None:
        check_metric(proof.metric, subject.outputs, proof.evaluation)
    if proof.evaluation is not None and subject.is_classifier and proof.metric.is_top_1:
        check_labels(proof.evaluation, subject.outputs[0].shape[-1])


def prove(
    device: DeviceClient,
    entry: DeviceEntry,
    subject: Subject,
    proof: Proof,
    reference: Judged | None,
    tools: Workspace,
) -> tuple[Measurement | None, Evaluation | None]:
    """Measure and evaluate a release that is active; parts that the proof leaves out are None."""
    measurement = evaluation = None
    if proof.plan is not None:
        data = proof.evaluation if proof.inputs is None else proof.inputs
        measurement = measure(device, entry, subject, plan=proof.plan, data=data, tools=tools)
    if proof.evaluation is not None:
        evaluation = evaluate(
            device,
            entry,
            subject,
            proof.evaluation,
            metric=proof.metric,
            reference=reference,
            max_drop=proof.max_drop,
            confidence=proof.confidence,
            timeout_s=proof.timeout_s,
            tools=tools,
        )
    return measurement, evaluation
