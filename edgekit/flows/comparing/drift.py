"""Drift: the same artifact and samples on a device and on each kind of kernels of this computer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from edgekit.core.artifact import TensorSpec
from edgekit.core.dataset import Dataset, choose
from edgekit.core.device_entry import DeviceEntry
from edgekit.core.drift import TensorDrift, tensor_drift
from edgekit.core.errors import EdgekitError, LockedError
from edgekit.core.statistics import wilson
from edgekit.data import check_against_model
from edgekit.device.client import ArtifactRef, DeviceClient, RunOptions
from edgekit.flows import localhost
from edgekit.flows.evaluate import check_outputs
from edgekit.flows.localhost import host_runner
from edgekit.flows.profile import provenance_of
from edgekit.flows.samples import model_inputs
from edgekit.flows.subject import Subject
from edgekit.flows.workspace import Workspace

LAYER_SAMPLES = 16
"""Samples of which the device sends every tensor: a layer that drifts does so in most of them."""
_LAYER_BYTES = 256 * 2**20
_LAYER_KERNELS = "builtin"
"""The device's: a delegate, which the default kernels are, keeps its tensors to itself."""
_KERNELS = {"default": "default kernels", "builtin": "built-in kernels", "reference": "reference kernels"}
_TFLITE = "tflite"
_UNCOMPARED = frozenset({"bool"})


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where the artifact ran.

    Attributes:
        name: "device", or "default", "builtin" and "reference" for the kernels of this computer.
        where: for people.
        runtime, kernels: that ran it.
        versions: of the runtime's packages.
        reason: why it did not run there; None where it did.
    """

    name: str
    where: str
    runtime: str
    kernels: str
    versions: Mapping[str, str]
    reason: str | None = None

    def as_json(self) -> dict[str, Any]:
        """The place in a document."""
        return {**vars(self), "versions": dict(self.versions)}


def drift_document(
    device: DeviceClient, entry: DeviceEntry, subject: Subject, data: Dataset, *, timeout_s: float, tools: Workspace
) -> dict[str, Any]:
    """How far a device's answers are from this computer's, and which kernels here predict them bit for bit.

    Args:
        device: connected; it has the subject and its runtime.
        entry: the device.
        subject: with its file on this computer.
        data: real inputs; labels do not matter.
        timeout_s: limit for each loop over the data set on the device.
        tools: scratch folder, cache, child process, listener.

    Raises:
        InputError: the data does not fit the model, or only the device has the file.
        DeviceError: the model crashed on the device.
    """
    data = check_against_model(data, subject.inputs)
    inputs = model_inputs(data, subject.inputs)
    theirs = _on_device(device, entry, subject, inputs, timeout_s, tools)
    places = [
        Place(
            name="device", where=entry.name, runtime=subject.runtime, kernels="default",
            versions=_versions(device, subject.runtime),
        )
    ]  # fmt: skip
    outputs: list[dict[str, Any]] = []
    predicts = []
    for kernels, words in _KERNELS.items() if subject.format == _TFLITE else [("default", "this computer")]:
        place, ours = _on_host(subject, inputs, kernels, words, tools)
        places.append(place)
        if ours is None:
            continue
        found = list(_drifts(ours, theirs, subject.outputs, classifier=subject.is_classifier))
        outputs += [_output_document(place.name, one) for one in found]
        if all(one.differing_values == 0 for one in found):
            predicts.append(place.name)
    layers, reason = _layers(device, subject, data, timeout_s, tools)
    return {
        "device": entry.name,
        "provenance": str(provenance_of(entry)),
        "artifact_sha256": subject.digest,
        "dataset_sha256": data.digest,
        "samples": len(data),
        "places": [place.as_json() for place in places],
        "outputs": outputs,
        "predicts": predicts,
        "layers": layers,
        "layer_kernels": _LAYER_KERNELS if layers else None,
        "layer_samples": min(LAYER_SAMPLES, len(data)) if layers else 0,
        "layers_reason": reason,
    }


def _on_device(
    device: DeviceClient,
    entry: DeviceEntry,
    subject: Subject,
    inputs: Sequence[NDArray[Any]],
    timeout_s: float,
    tools: Workspace,
) -> tuple[NDArray[Any], ...]:
    tools.tell("drift", f"running {len(inputs[0])} samples on {entry.name}")
    result = device.evaluate(
        inputs, artifact=subject.reference(), options=RunOptions(timeout_s=timeout_s), on_event=tools.on_event
    )
    outputs = tuple(output.array for output in result.outputs)
    check_outputs(outputs, subject, len(inputs[0]), entry)
    return outputs


def _on_host(
    subject: Subject, inputs: Sequence[NDArray[Any]], kernels: str, words: str, tools: Workspace
) -> tuple[Place, tuple[NDArray[Any], ...] | None]:
    runtime, reason, found = host_runner(subject.runtime), None, None
    try:
        found = localhost.outputs(subject.artifact(), inputs, runtime=runtime, tools=tools, kernels=kernels)
    except EdgekitError as error:  # a model that some kernels refuse still has others
        reason = error.message
    place = Place(
        name=kernels, where=f"this computer, {words}", runtime=runtime, kernels=kernels,
        versions=_versions(tools.localhost, runtime), reason=reason,
    )  # fmt: skip
    return place, found


def _drifts(
    ours: Sequence[NDArray[Any]], theirs: Sequence[NDArray[Any]], specs: Sequence[TensorSpec], *, classifier: bool
) -> Iterator[TensorDrift]:
    for left, right, spec in zip(ours, theirs, specs, strict=True):
        yield tensor_drift(left, right, spec, classifier=classifier)


def _output_document(place: str, found: TensorDrift) -> dict[str, Any]:
    agreed = None if found.agreeing is None else wilson(found.agreeing, found.samples)
    identical = wilson(found.identical, found.samples)
    return {
        "place": place,
        **_drift_document(found),
        "identical_samples": found.identical,
        "identical_ci95": [identical.low, identical.high],
        "agreement": None if agreed is None else agreed.value,
        "agreement_ci95": None if agreed is None else [agreed.low, agreed.high],
    }


def _drift_document(found: TensorDrift) -> dict[str, Any]:
    return {
        "name": found.name,
        "values": found.values,
        "samples": found.samples,
        "differing_share": found.differing_values / found.values,
        "max_lsb": found.max_lsb,
        "max_abs": found.max_abs,
    }


def _layers(
    device: DeviceClient, subject: Subject, data: Dataset, timeout_s: float, tools: Workspace
) -> tuple[list[dict[str, Any]], str | None]:
    """Each layer of the device against this computer's, both with kernels that keep their tensors; or why not."""
    if subject.format != _TFLITE:
        return [], f"{subject.runtime} keeps no intermediate tensors"
    listed = tools.isolate.call(
        "edgekit.passes._compare:layer_tensors", {"path": str(subject.artifact().path)}, what=f"reading {subject.name}"
    )
    ops = {entry["name"]: entry.pop("op") for entry in listed}
    specs = tuple(spec for spec in map(TensorSpec.from_json, listed) if spec.dtype not in _UNCOMPARED)
    some = data.take(choose(len(data), min(LAYER_SAMPLES, len(data)), seed=0, labels=data.class_labels))
    inputs = model_inputs(some, subject.inputs)
    try:
        theirs = _tensors(device, subject, subject.runtime, inputs, specs, _LAYER_KERNELS, timeout_s, tools)
    except EdgekitError as error:
        return [], f"the device keeps no intermediate tensors: {error.message}"
    found: list[dict[str, Any]] = []
    for kernels in ("builtin", "reference"):
        try:
            ours = _here(subject, inputs, specs, kernels, timeout_s, tools)
        except EdgekitError as error:
            return found, f"this computer's {kernels} kernels: {error.message}"
        drifts = list(_drifts(ours, theirs, specs, classifier=False))
        first = next((one.name for one in drifts if one.differing_values), None)
        found += [
            {"against": kernels, "op": ops[one.name], **_drift_document(one), "is_first": one.name == first}
            for one in drifts
        ]
    return found, None


def _here(
    subject: Subject,
    inputs: Sequence[NDArray[Any]],
    specs: Sequence[TensorSpec],
    kernels: str,
    timeout_s: float,
    tools: Workspace,
) -> list[NDArray[Any]]:
    runtime = host_runner(subject.runtime)
    try:
        return _tensors(tools.localhost, subject, runtime, inputs, specs, kernels, timeout_s, tools)
    except LockedError:  # another command holds this computer's device
        return _tensors(tools.own_localhost, subject, runtime, inputs, specs, kernels, timeout_s, tools)


def _tensors(
    device: DeviceClient,
    subject: Subject,
    runtime: str,
    inputs: Sequence[NDArray[Any]],
    specs: Sequence[TensorSpec],
    kernels: str,
    timeout_s: float,
    tools: Workspace,
) -> list[NDArray[Any]]:
    """Values of the named tensors, shape [samples, ...] each."""
    artifact = subject.artifact()
    device.stage(artifact.path, sha256=artifact.digest)
    reply = device.evaluate(
        inputs,
        artifact=ArtifactRef(release=None, blob=subject.digest, format=subject.format, runtime=runtime),
        options=RunOptions(timeout_s=timeout_s, kernels=kernels, tensors=tuple(spec.name for spec in specs)),
        on_event=tools.on_event,
        output_limit_bytes=_LAYER_BYTES,
    )
    return [output.array for output in reply.outputs[len(subject.outputs) :]]


def _versions(device: DeviceClient, runtime: str) -> Mapping[str, str]:
    known = device.status().runtimes.get(runtime)
    return {} if known is None else known.versions
