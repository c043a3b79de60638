"""What is run on a device: a bundle, a model file, or what is active there; with the signature that inputs need."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from edgekit.bundle.manifest import Manifest, parse_manifest
from edgekit.bundle.pack import Bundle, is_bundle
from edgekit.core.artifact import Artifact, TensorSpec
from edgekit.core.digest import sha256_bytes
from edgekit.core.errors import DeviceError, InputError, ProtocolError, UnsupportedError, VerificationError
from edgekit.core.target import Target
from edgekit.device.client import ArtifactRef, DeviceClient
from edgekit.flows.accuracy import classifies
from edgekit.flows.workspace import Workspace
from edgekit.sources._base import load_source


@dataclass(frozen=True, kw_only=True)
class Subject:
    """Something that a device can run.

    Attributes:
        name: for people.
        digest: SHA-256 of the artifact's file.
        format, runtime: how it is run.
        inputs, outputs: its signature.
        path: the file on this computer; None when only the device has it.
        size_bytes: of the file.
        model: name of the model that it was made from.
        recipe: that made it; None for a file that runs as it was given.
    """

    name: str
    digest: str
    format: str
    runtime: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    path: Path | None
    size_bytes: int
    model: str | None = None
    recipe: str | None = None

    @property
    def is_classifier(self) -> bool:
        """Whether the only output holds scores of at least two classes for one sample."""
        return classifies(self.outputs)

    def reference(self) -> ArtifactRef:
        """How requests to the device name it."""
        return ArtifactRef(release=None, blob=self.digest, format=self.format, runtime=self.runtime)

    def artifact(self) -> Artifact:
        """The artifact on this computer.

        Raises:
            InputError: only the device has it.
        """
        if self.path is None:
            raise InputError(f"{self.name} is only on the device", hint="give the bundle or the model file too")
        return Artifact(
            format=self.format, path=self.path, digest=self.digest, size_bytes=self.size_bytes, zip_bytes=0,
            made_by="subject", inputs=self.inputs, outputs=self.outputs,
        )  # fmt: skip

    def stage(self, device: DeviceClient, tools: Workspace) -> int:
        """Make sure that the device has the file; returns the bytes that travelled."""
        if self.path is None:
            return 0
        return device.stage(self.path, sha256=self.digest, on_event=tools.on_event).sent_bytes


def from_manifest(manifest: Manifest, *, path: Path | None) -> Subject:
    """The model of a release.

    Raises:
        VerificationError: the manifest does not tell the model's inputs and outputs.
    """
    assert manifest.model is not None
    entry = manifest.files[manifest.model]
    try:
        inputs, outputs = (tuple(map(TensorSpec.from_json, manifest.facts[side])) for side in ("inputs", "outputs"))
    except (KeyError, TypeError) as cause:
        raise VerificationError(
            "the manifest does not tell the model's inputs and outputs", hint="compile the bundle again"
        ) from cause
    return Subject(
        name=f"{manifest.facts.get('model_name', manifest.model)} ({manifest.recipe})",
        digest=entry.sha256,
        format=manifest.format,
        runtime=manifest.runtime,
        inputs=inputs,
        outputs=outputs,
        path=path,
        size_bytes=entry.size,
        model=manifest.facts.get("model_name"),
        recipe=manifest.recipe,
    )


def from_bundle(bundle: Bundle, tools: Workspace) -> Subject:
    """The model of a bundle, its file unpacked into the workspace."""
    assert bundle.manifest.model is not None
    data = bundle.read(bundle.manifest.model)
    path = tools.work / f"{sha256_bytes(data)[:12]}.{bundle.manifest.format}"
    path.write_bytes(data)
    return from_manifest(bundle.manifest, path=path)


def from_file(path: Path, target: Target, tools: Workspace) -> Subject:
    """A bundle or a model file that a runtime loads as it is.

    Raises:
        UnsupportedError: it has to be compiled first.
    """
    if is_bundle(path):
        return from_bundle(Bundle.open(path), tools)
    artifact, _ = load_source(path, work=tools.work, isolate=tools.isolate)
    runtime = target.runtime_for(artifact.format)
    if runtime is None:
        raise UnsupportedError(
            f"{target.name} does not run {artifact.format} models as they are",
            hint=f"compile it first: edgekit compile {path} --target {target.name}",
        )
    return Subject(
        name=path.name,
        digest=artifact.digest,
        format=artifact.format,
        runtime=runtime.name,
        inputs=artifact.inputs,
        outputs=artifact.outputs,
        path=artifact.path,
        size_bytes=artifact.size_bytes,
        model=path.name,
    )


def active_on(device: DeviceClient) -> Subject:
    """The device's active release.

    Raises:
        DeviceError: nothing is active there.
    """
    status = device.status(manifest="active")
    if status.active is None or status.manifest is None:
        raise DeviceError("no release is active on the device", hint="edgekit deploy MODEL --device NAME")
    if sha256_bytes(status.manifest.encode()) != status.active:
        raise ProtocolError("the device's active manifest has another digest than it says", hint="deploy again")
    return replace(
        from_manifest(parse_manifest(status.manifest), path=None), name=f"active release {status.active[:12]}"
    )
